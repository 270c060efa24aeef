// The programs as they are installed: plain JavaScript, what they need at run time, and the Node that runs them.

import * as fs from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import * as path from 'node:path'
import { bundle } from './bundle.ts'
import { ARCHITECTURES, type Architecture, fetched, neededPackages } from './locked.ts'
import type { Tree } from './tree.ts'

export const HOME = 'usr/lib/loghop'
const SOURCES = ['agent', 'cli', 'core', 'pki', 'relay']
const SPECIFIER = /(\bfrom\s+|\bimport\s*\(?\s*|\bnew URL\(\s*)'(\.{1,2}\/[^']+)\.ts'/g

// Of a dependency: what runs, and its licence.
const KEPT = /(\.[cm]?js|\.json|\.node)$|^(licen[cs]e|notice|copying)/i
const LEFT_OUT = /^(tests?|benchmarks?|docs?|examples?|vendor)\/|(^|\/)\.|\.min\.js$|\.(d|test|spec)\.[cm]?js$/
// Their sources as well as what is built from them.
const LEFT_OUT_OF: Readonly<Record<string, RegExp>> = {
  zod: /^src\//,
  'node-forge': /^(dist|flash)\//,
}

/** JavaScript of one of our sources, each line and column where it was. */
export function compiled(text: string): string {
  return stripTypeScriptTypes(text, { mode: 'strip' })
    .replace(SPECIFIER, "$1'$2.js'")
    .replace(/[ \t]+$/gm, '')
}

function filesBelow(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => fs.statSync(path.join(directory, name)).isFile())
    .sort()
}

function addPackage(tree: Tree, from: string, place: string, isKept: (file: string) => boolean = () => true): void {
  const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)
  for (const file of filesBelow(from)) {
    // Another package that stands within has a place of its own in the list.
    if (file.includes('node_modules/') || LEFT_OUT.test(file) || LEFT_OUT_OF[name]?.test(file) === true) continue
    if (KEPT.test(path.basename(file)) && isKept(file)) tree.copy(path.join(from, file), `${HOME}/app/${place}/${file}`)
  }
}

/** Our programs as plain JavaScript, below `home`. */
export function addPrograms(tree: Tree, root: string, home: string): void {
  for (const folder of SOURCES) {
    for (const file of filesBelow(path.join(root, folder))) {
      const place = path.join(home, folder, file)
      const text = (): string => fs.readFileSync(path.join(root, folder, file), 'utf8')
      if (file.endsWith('.d.ts')) continue
      if (file.endsWith('.ts')) tree.put(place.replace(/\.ts$/, '.js'), compiled(text()))
      else if (file.endsWith('.js')) tree.put(place, compiled(text()))
    }
  }
}

/** Puts programs, dependencies and the runtime into the tree. @param version of ours, for package.json */
export async function addApplication(tree: Tree, root: string, cache: string, architecture: Architecture): Promise<void> {
  addPrograms(tree, root, `${HOME}/app`)
  const { name, version, license, type } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as Record<string, string>
  tree.put(`${HOME}/app/package.json`, `${JSON.stringify({ name, version, license, type }, undefined, 2)}\n`)
  for (const place of neededPackages(root)) addPackage(tree, path.join(root, place), place)
  const processor = ARCHITECTURES[architecture]
  const koffi = `@koromix/koffi-linux-${processor}`
  addPackage(tree, fetched(root, cache, koffi), `node_modules/${koffi}`, (file) => !file.startsWith('musl_'))
  await bundle(tree, `${HOME}/app`)
  const runtime = fetched(root, cache, `node-linux-${processor}`)
  tree.copy(path.join(runtime, 'bin/node'), `${HOME}/node`, 0o755)
  tree.copy(path.join(runtime, 'LICENSE'), `usr/share/doc/loghop/LICENSE.node`)
}
