// The programs and what they import, in a few files: a start then reads a dozen modules instead of three hundred, which is half of its time.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { Tree } from './tree.ts'

// Not a literal, so that what is typed here is all that is known of it.
const BUNDLER: string = 'esbuild'
/** What begins a process or a thread of its own; the rest is shared between them. */
const ENTRIES = ['cli/main.js', 'core/pipeline/datagram-worker.js']
/** They find each other beside themselves, so all of it is in one folder. */
const PLACE = 'cli'
/** Loaded before the rest. */
const BEFORE = ['loghop.js', 'start.js', 'other-node.js']
/** With a library in machine code that it finds beside itself. */
const APART = ['koffi', '@koromix']
const LICENCE = /^(licen[cs]e|notice|copying)/i

// Of dependencies in the older form of modules, to ask Node for its own.
const BANNER = "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"

/** Our messages are our own, and English: what zod says in fifty languages stays away. */
const WITHOUT_LANGUAGES = {
  name: 'without-languages',
  setup(build: BundlerHooks): void {
    build.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js'",
      loader: 'js',
    }))
  },
}

interface BundlerHooks {
  onLoad(where: { filter: RegExp }, load: () => { contents: string; loader: 'js' }): void
}

interface Bundler {
  build(options: Readonly<Record<string, unknown>>): Promise<{ outputFiles: ReadonlyArray<{ path: string; text: string }> }>
}

async function findBundler(): Promise<Bundler | undefined> {
  try {
    return (await import(BUNDLER)) as Bundler
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

/** Replaces the modules below `app` by bundles of them. Of dependencies the licences stay. Where there is no bundler, all stays as it is. */
export async function bundle(tree: Tree, app: string): Promise<void> {
  const bundler = await findBundler()
  if (bundler === undefined) {
    process.stdout.write(`not bundled, so it starts more slowly: ${BUNDLER} is not installed\n`)
    return
  }
  const { outputFiles } = await bundler.build({
    // Paths stand in comments: the same wherever it is built.
    absWorkingDir: fs.realpathSync(tree.place(app)),
    entryPoints: ENTRIES,
    outdir: PLACE,
    entryNames: '[name]',
    chunkNames: 'part-[hash]',
    external: APART.slice(0, 1),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    banner: { js: BANNER },
    // Names and lines stay, for whoever reads a stack; indentation and comments are a third of what a start would read.
    minifyWhitespace: true,
    lineLimit: 140,
    plugins: [WITHOUT_LANGUAGES],
    legalComments: 'inline',
    logLevel: 'error',
    write: false,
  })
  const kept = (file: string): boolean => {
    if (path.dirname(file) === '.') return true
    if (path.dirname(file) === PLACE) return BEFORE.includes(path.basename(file))
    return APART.some((name) => file.startsWith(`node_modules/${name}/`)) || LICENCE.test(path.basename(file))
  }
  for (const file of tree.files().filter((name) => name.startsWith(`${app}/`))) if (!kept(path.relative(app, file))) tree.remove(file)
  for (const { path: place, text } of outputFiles) tree.put(`${app}/${PLACE}/${path.basename(place)}`, text)
  tree.removeEmptyDirectories(app)
}
