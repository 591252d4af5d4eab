import { useLayoutEffect, useRef } from 'preact/hooks'
import { decodeBlurhash } from './blurhash'

const WIDTH = 32

/** A blurhash painted small; the style sheet stretches it over the photo's box. */
export function Placeholder({ blurhash, ratio }: { blurhash: string; ratio: number }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const height = Math.max(1, Math.round(WIDTH / ratio))

  useLayoutEffect(() => {
    const pixels = decodeBlurhash(blurhash, WIDTH, height)
    canvas.current?.getContext('2d')?.putImageData(new ImageData(pixels, WIDTH, height), 0, 0)
  }, [blurhash, height])

  return <canvas ref={canvas} class="photo-placeholder" width={WIDTH} height={height} />
}
