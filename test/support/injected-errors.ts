// Makes system calls of a running process fail, on chosen files, for as long as the test likes.

import { spawn } from 'node:child_process'
import type { ExecutionContext } from 'ava'
import { watched } from './daemon.ts'
import { eventually } from './eventually.ts'
import { isThere } from './loop-disk.ts'

export interface Injected {
  readonly calls: readonly string[]
  readonly error: string
  /** Only on these files and folders. */
  readonly paths: readonly string[]
  /** Which of the calls, such as `2+3`: the second and each third after it; all of them without it. */
  readonly when?: string
}

/** What is not there that this needs, in words. */
export function missingForErrors(): string[] {
  return [...(isThere('strace') ? [] : ['strace (package strace)']), ...(process.getuid?.() === 0 ? [] : ['root'])]
}

/** Begins at once. @returns what ends it */
export async function injectErrors(t: ExecutionContext, pid: number, injected: Injected): Promise<() => Promise<void>> {
  const calls = injected.calls.join(',')
  const when = injected.when === undefined ? '' : `:when=${injected.when}`
  const paths = injected.paths.flatMap((path) => ['-P', path])
  const inject = `inject=${calls}:error=${injected.error}${when}`
  const child = spawn('strace', ['-f', '-o', '/dev/null', '-e', `trace=${calls}`, '-e', inject, ...paths, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = watched(t, child)
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await eventually(
    'strace to be attached',
    () => / attached/.test(said),
    () => said,
  )
  return async () => {
    child.kill('SIGINT')
    await ended
  }
}
