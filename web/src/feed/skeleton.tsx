/** Empty cards that are shown while posts load. */
export function Skeleton({ count }: { count: number }) {
  return (
    <div aria-hidden="true">
      {Array.from({ length: count }, (_, at) => (
        <div class="post skeleton" key={at}>
          <div class="byline">
            <span class="monogram" />
            <span class="bar" />
          </div>
          <div class="photo" />
        </div>
      ))}
    </div>
  )
}
