// Builds the app into dist/: hashed assets and an index.html that names them. `--watch` rebuilds on every change.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, context } from 'esbuild'

const root = dirname(fileURLToPath(import.meta.url))
const dist = join(root, 'dist')
const watch = process.argv.includes('--watch')

/** The URL under which the API serves the output whose name begins with `prefix` and ends with `suffix`. */
function assetUrl(outputs, prefix, suffix) {
  const name = Object.keys(outputs)
    .map((path) => basename(path))
    .find((candidate) => candidate.startsWith(prefix) && candidate.endsWith(suffix))
  if (!name) throw new Error(`the build made no ${prefix}*${suffix}`)
  return `/assets/${name}`
}

const indexPage = {
  name: 'index-page',
  setup(builder) {
    builder.onEnd(async ({ metafile, errors }) => {
      if (errors.length > 0) return
      const template = await readFile(join(root, 'index.html'), 'utf8')
      const page = template
        .replace('{{icon}}', assetUrl(metafile.outputs, 'icon-', '.svg'))
        .replace('{{styles}}', assetUrl(metafile.outputs, 'main-', '.css'))
        .replace('{{script}}', assetUrl(metafile.outputs, 'main-', '.js'))
      await mkdir(dist, { recursive: true })
      await writeFile(join(dist, 'index.html'), page)
    })
  },
}

const options = {
  absWorkingDir: root,
  entryPoints: ['src/main.tsx', 'src/icon.svg'],
  outdir: join(dist, 'assets'),
  outbase: 'src',
  entryNames: '[name]-[hash]',
  loader: { '.svg': 'copy' },
  bundle: true,
  format: 'esm',
  target: ['es2022', 'chrome110', 'firefox115', 'safari16.4'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  minify: !watch,
  sourcemap: true,
  metafile: true,
  logLevel: 'info',
  plugins: [indexPage],
}

await rm(dist, { recursive: true, force: true })
if (watch) await (await context(options)).watch()
else await build(options)
