// A file that is written and rotated, and what of it has reached a spool.

import * as fs from 'node:fs'
import { spooledMessages } from './numbered.ts'

/** Writes numbered lines, and rotates as logrotate does: `create` renames, `copytruncate` copies and cuts. */
export class RotatedFile {
  readonly path: string
  readonly #keep: number
  #fd: number
  count = 0

  constructor(path: string, keep: number) {
    this.path = path
    this.#keep = keep
    this.#fd = fs.openSync(path, 'a')
  }

  write(lines: number): void {
    let text = ''
    for (let line = 0; line < lines; line++) text += `line ${++this.count} ${'x'.repeat(this.count % 50)}\n`
    fs.writeSync(this.#fd, text)
  }

  rotate(kind: 'create' | 'copytruncate', late = 0): void {
    fs.rmSync(`${this.path}.${this.#keep}`, { force: true })
    for (let number = this.#keep - 1; number >= 1; number--)
      if (fs.existsSync(`${this.path}.${number}`)) fs.renameSync(`${this.path}.${number}`, `${this.path}.${number + 1}`)
    if (kind === 'copytruncate') {
      fs.copyFileSync(this.path, `${this.path}.1`)
      fs.ftruncateSync(this.#fd, 0)
      return
    }
    fs.renameSync(this.path, `${this.path}.1`)
    // The writer does not know yet.
    if (late > 0) this.write(late)
    const fd = fs.openSync(this.path, 'a')
    fs.closeSync(this.#fd)
    this.#fd = fd
  }

  close(): void {
    fs.closeSync(this.#fd)
  }
}

/** Numbers of the lines among messages, in their order. */
export function lineNumbers(messages: readonly string[]): number[] {
  return messages.flatMap((message) => {
    const match = / line (\d+) (x*)$/.exec(message)
    return match === null ? [] : [Number(match[1])]
  })
}

export function spooledLines(spool: string): number[] {
  return lineNumbers(spooledMessages(spool))
}

/** In words how the numbers differ from 1 to `count`, each once; undefined when they do not. */
export function difference(numbers: readonly number[], count: number): string | undefined {
  const times = new Map<number, number>()
  for (const number of numbers) times.set(number, (times.get(number) ?? 0) + 1)
  const lost = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !times.has(number))
  const doubled = [...times].filter(([, seen]) => seen > 1).map(([number]) => number)
  if (lost.length === 0 && doubled.length === 0) return undefined
  return `${lost.length} lost (${lost.slice(0, 5).join(', ')}), ${doubled.length} doubled (${doubled.slice(0, 5).join(', ')})`
}
