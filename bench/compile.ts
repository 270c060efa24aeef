import { execFileSync } from 'node:child_process'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Builds one of the C programs beside this file. @returns the program */
export function compile(directory: string, name: string, ...libraries: string[]): string {
  const program = path.join(directory, name)
  const source = fileURLToPath(new URL(`./${name}.c`, import.meta.url))
  execFileSync('cc', ['-O2', '-o', program, source, ...libraries.map((library) => `-l${library}`)])
  return program
}
