import type { Images } from 'photofeed-client'

export interface SourceSet {
  /** For browsers that cannot choose. */
  src: string
  srcset: string
}

/**
 * The images that the browser may choose from.
 *
 * @param edges longest edges in pixels; by default all. A small original without these has its largest image.
 */
export function sourceSet(images: Images, edges?: readonly number[]): SourceSet {
  const byWidth = Object.values(images).sort((a, b) => a.width - b.width)
  const wanted = edges ? edges.flatMap((edge) => images[edge] ?? []) : byWidth
  const sources = wanted.length > 0 ? wanted : byWidth.slice(-1)
  return {
    src: sources[0]?.url ?? '',
    srcset: sources.map(({ url, width }) => `${url} ${width}w`).join(', '),
  }
}
