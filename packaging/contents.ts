// What every package holds, whatever its form.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { makeProgram } from '../cli/program.ts'
import { addApplication, HOME } from './application.ts'
import type { Architecture } from './locked.ts'
import { bashCompletion, manualPages } from './manual.ts'
import type { Tree } from './tree.ts'

const DOC = 'usr/share/doc/loghop'
const MANUAL_PAGES = 'usr/share/man/man1'

/** The same bytes for the same text. */
export function compressed(text: string): Buffer {
  return execFileSync('gzip', ['-9n'], { input: text })
}

export interface Build {
  readonly root: string
  readonly cache: string
  readonly architecture: Architecture
  readonly version: string
  /** Seconds since 1970 of everything in the packages. */
  readonly epoch: number
}

export async function fillTree(tree: Tree, { root, cache, architecture, epoch }: Build): Promise<void> {
  const text = (file: string): string => fs.readFileSync(path.join(root, file), 'utf8')
  await addApplication(tree, root, cache, architecture)
  stripSymbols(tree.place(`${HOME}/node`), architecture)
  tree.put('usr/bin/loghop', text('packaging/debian/loghop'), 0o755)
  for (const name of fs.readdirSync(path.join(root, 'systemd')).filter((file) => /\.(service|socket)$/.test(file)))
    tree.put(`usr/lib/systemd/system/${name}`, text(`systemd/${name}`))
  for (const name of fs.readdirSync(path.join(root, 'systemd/examples')))
    tree.put(`${DOC}/examples/${name}`, text(`systemd/examples/${name}`))
  for (const name of fs.readdirSync(path.join(root, 'rc.d')))
    tree.put(`${DOC}/examples/rc.d/${name}`, text(`rc.d/${name}`), name.startsWith('loghop_') ? 0o755 : 0o644)
  for (const name of fs.readdirSync(path.join(root, 'openrc'))) tree.put(`${DOC}/examples/openrc/${name}`, text(`openrc/${name}`), 0o755)
  tree.put('usr/lib/sysusers.d/loghop.conf', text('packaging/debian/sysusers.conf'))
  tree.put('etc/default/loghop-pki', text('packaging/debian/loghop-pki.default'))
  tree.put('etc/logrotate.d/loghop-relay', text('packaging/debian/loghop-relay.logrotate'))
  const program = await makeProgram()
  const date = new Date(epoch * 1000).toISOString().slice(0, 10)
  for (const [name, page] of manualPages(program, date)) tree.put(`${MANUAL_PAGES}/${name}.gz`, compressed(page))
  tree.put('usr/share/bash-completion/completions/loghop', bashCompletion(program))
  for (const name of fs.readdirSync(path.join(root, 'docs')).filter((file) => file.endsWith('.md')))
    tree.put(`${DOC}/${name}.gz`, compressed(text(`docs/${name}`)))
  tree.put(`${DOC}/README.md.gz`, compressed(text('README.md')))
  const licence = text('LICENSE')
    .trimEnd()
    .split('\n')
    .slice(4)
    .map((line) => (line === '' ? ' .' : ` ${line}`))
  tree.put(`${DOC}/copyright`, text('packaging/debian/copyright').replace('LICENSE_TEXT', licence.join('\n')))
}

/** A fifth of the runtime is for debuggers. Where the tool for that processor is missing, it stays. */
function stripSymbols(file: string, architecture: Architecture): void {
  const native = process.arch === 'x64' ? 'amd64' : process.arch
  const program = architecture === native ? 'strip' : { amd64: 'x86_64-linux-gnu-strip', arm64: 'aarch64-linux-gnu-strip' }[architecture]
  try {
    execFileSync(program, ['--strip-unneeded', file], { stdio: 'pipe' })
  } catch (error) {
    process.stdout.write(`not stripped: ${(error as Error).message.split('\n')[0]}\n`)
  }
}
