// A page of docs/, whose examples the tests run.

import * as fs from 'node:fs'
import * as path from 'node:path'

export class Manual {
  readonly text: string

  /** @param name of the page, such as `rules.md` */
  constructor(name: string) {
    this.text = fs.readFileSync(path.join(import.meta.dirname, '../../docs', name), 'utf8')
  }

  /** What stands in the fences of this language, all of the text behind the first three signs. */
  blocks(language: string): string[] {
    return [...this.text.matchAll(/^```(.+)\n([\s\S]*?)^```$/gm)].filter((match) => match[1] === language).map((match) => match[2]!)
  }

  /** The rows, cell by cell, of every table that begins with this one. @throws when there is none */
  rows(firstRow: string): string[][] {
    const lines = this.text.split('\n')
    const found: string[][] = []
    for (const [at, line] of lines.entries()) {
      if (!line.startsWith(firstRow)) continue
      for (const row of lines.slice(at + 2)) {
        if (!row.startsWith('|')) break
        found.push(cells(row))
      }
    }
    if (found.length === 0) throw new Error(`no table ${firstRow}`)
    return found
  }
}

function cells(row: string): string[] {
  return row
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())
}

/** Each `piece of code` in a cell, without its signs. */
export function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!)
}
