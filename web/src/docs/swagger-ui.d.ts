declare module 'swagger-ui-dist/swagger-ui-es-bundle.js' {
  /** Draws the document at `url` into the element `dom_id`. */
  export default function SwaggerUI(options: Record<string, unknown>): unknown
}
