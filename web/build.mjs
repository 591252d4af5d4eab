// Builds the app into dist/: hashed assets, also compressed, and the pages that name them.
// `--watch` rebuilds on every change, with source maps.
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import { build, context } from 'esbuild'

const root = dirname(fileURLToPath(import.meta.url))
const dist = join(root, 'dist')
const watch = process.argv.includes('--watch')

/** The URL at which the API serves the output whose name starts with `prefix` and ends with `suffix`. */
function assetUrl(outputs, prefix, suffix) {
  const name = Object.keys(outputs)
    .map((path) => basename(path))
    .find((candidate) => candidate.startsWith(prefix) && candidate.endsWith(suffix))
  if (!name) throw new Error(`the build made no ${prefix}*${suffix}`)
  return `/assets/${name}`
}

/** Links to the code that the app's first file imports, so that the browser fetches both at the same time. */
function preloadLinks(outputs) {
  const [, main] = Object.entries(outputs).find(([path]) => /^main-.*\.js$/.test(basename(path))) ?? []
  return (main?.imports ?? [])
    .filter(({ kind }) => kind === 'import-statement')
    .map(({ path }) => `<link rel="modulepreload" href="/assets/${basename(path)}">`)
    .join('')
}

/** The licences of Swagger UI and of the libraries in its bundle, which ask to be passed on. */
async function swaggerLicences() {
  const folder = join(root, 'node_modules', 'swagger-ui-dist')
  const files = ['NOTICE', 'LICENSE', 'swagger-ui-es-bundle.js.LICENSE.txt']
  return (await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))).join('\n')
}

const pages = {
  name: 'pages',
  setup(builder) {
    builder.onEnd(async ({ metafile, errors }) => {
      if (errors.length > 0) return
      const urls = {
        icon: assetUrl(metafile.outputs, 'icon-', '.svg'),
        styles: assetUrl(metafile.outputs, 'main-', '.css'),
        preloads: preloadLinks(metafile.outputs),
        script: assetUrl(metafile.outputs, 'main-', '.js'),
        'docs-styles': assetUrl(metafile.outputs, 'docs-', '.css'),
        'docs-script': assetUrl(metafile.outputs, 'docs-', '.js'),
      }
      await mkdir(dist, { recursive: true })
      for (const name of ['index.html', 'docs.html']) {
        const template = await readFile(join(root, name), 'utf8')
        await writeFile(
          join(dist, name),
          template.replace(/{{(.*?)}}/g, (whole, key) => urls[key] ?? whole),
        )
      }
      await writeFile(join(dist, 'swagger-ui-licences.txt'), await swaggerLicences())
      await cp(join(root, 'public'), dist, { recursive: true })
    })
  },
}

const options = {
  absWorkingDir: root,
  entryPoints: ['src/main.tsx', 'src/docs/docs.ts', 'src/icon.svg'],
  outdir: join(dist, 'assets'),
  outbase: 'src',
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  splitting: true,
  loader: { '.svg': 'copy' },
  bundle: true,
  format: 'esm',
  target: ['es2022', 'chrome110', 'firefox115', 'safari16.4'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  minify: !watch,
  sourcemap: watch,
  metafile: true,
  logLevel: 'info',
  plugins: [pages],
}

/** Writes `name.br` and `name.gz` beside each text asset: the server sends the one that the browser accepts. */
async function compressAssets() {
  const folder = join(dist, 'assets')
  for (const name of await readdir(folder)) {
    const content = await readFile(join(folder, name))
    await writeFile(join(folder, `${name}.br`), await promisify(brotliCompress)(content))
    await writeFile(join(folder, `${name}.gz`), await promisify(gzip)(content, { level: 9 }))
  }
}

await rm(dist, { recursive: true, force: true })
if (watch) await (await context(options)).watch()
else {
  await build(options)
  await compressAssets()
}
