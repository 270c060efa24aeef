// Vectors of the network's messages: what comes, what it is told to be, what goes out. `test/vectors/*.txt` are read and written by people.

import * as fs from 'node:fs'
import * as path from 'node:path'

/** Receipt of every vector: 2026-03-01T10:00:05.123456Z. */
export const RECEIVED_S = Date.UTC(2026, 2, 1, 10, 0, 5) / 1000
export const RECEIVED_US = 123_456
export const SPARE_HOST = 'peer'

export interface Vector {
  readonly section: string
  readonly input: Buffer
  readonly form: string
  readonly output: Buffer
}

/** `\n`, `\r`, `\t`, `\0`, `\xHH` and `\\` stand for the bytes. */
export function unescaped(text: string): Buffer {
  const known: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0', '\\': '\\' }
  const bytes = text.replace(/\\(x[0-9a-f]{2}|[nrt0\\])/g, (_, code: string) =>
    code.length === 3 ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : known[code]!,
  )
  return Buffer.from(bytes, 'latin1')
}

export function escaped(bytes: Buffer): string {
  const known: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\0', '\\': '\\\\' }
  return bytes.toString('latin1').replace(/[^ -[\]-~]/g, (char) => known[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

/** Reads `in`, `is` and `out` lines; a `#` line heads a section. */
export function readVectors(name: string): Vector[] {
  const file = path.join(import.meta.dirname, '..', 'vectors', name)
  const vectors: Vector[] = []
  let section = ''
  let input = ''
  let form = ''
  for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
    if (line.startsWith('# ')) section = line.slice(2)
    else if (line.startsWith('in  ')) input = line.slice(4, -1)
    else if (line.startsWith('is  ')) form = line.slice(4)
    else if (line.startsWith('out ')) vectors.push({ section, input: unescaped(input), form, output: unescaped(line.slice(4, -1)) })
    else if (line !== '') throw new Error(`${name} has a line that is none of in, is, out: ${line}`)
  }
  return vectors
}
