import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import type { z } from 'zod'
import { ConfigurationError, loadConfiguration } from '../../core/base/configuration.ts'

/** Runs `use` with a file of this content, and removes it. */
export function withFile<T>(content: string | Uint8Array, use: (file: string) => T): T {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-configuration-'))
  try {
    const file = path.join(directory, 'c.yaml')
    fs.writeFileSync(file, content)
    return use(file)
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}

export function load<T>(content: string | Uint8Array, schema: z.ZodType<T>): T {
  return withFile(content, (file) => loadConfiguration(file, schema))
}

export function refusal(content: string | Uint8Array, schema: z.ZodType): ConfigurationError {
  try {
    load(content, schema)
  } catch (error) {
    if (error instanceof ConfigurationError) return error
    throw error
  }
  throw new Error('the configuration was accepted')
}

/** Each problem as `line:column: path: text`. */
export function problemsOf(content: string | Uint8Array, schema: z.ZodType): string[] {
  return refusal(content, schema).problems.map(({ line, column, path: where, text }) => `${line}:${column}: ${where}: ${text}`)
}
