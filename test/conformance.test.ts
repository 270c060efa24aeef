// docs/conformance.md promises a test for each clause: every row names one, and it is there.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'

const FOLDER = import.meta.dirname
const REFERENCE = /^`([\w./-]+\.(?:test\.ts|txt))`: "([^"]+)"$/

interface Row {
  readonly line: number
  readonly clause: string
  readonly references: readonly string[]
}

function rowsOf(manual: string): Row[] {
  const rows: Row[] = []
  let isTable = false
  for (const [index, text] of manual.split('\n').entries()) {
    if (!text.startsWith('|')) isTable = false
    else if (/^\| (?:clause|what|\S*) ?\|.*\| test \|$/.test(text)) isTable = true
    else if (isTable && !/^\|[-|]+\|$/.test(text)) {
      const cells = text.slice(1, -1).split('|')
      rows.push({ line: index + 1, clause: cells[0]!.trim(), references: cells.at(-1)!.trim().split('; ') })
    }
  }
  return rows
}

const FILES = fs.readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(?:test\.ts|txt)$/.test(name))

/** Titles of tests, or sections of vectors, in the files that end in this path. */
function titlesIn(file: string): string[] {
  return FILES.filter((name) => `/${name}`.endsWith(`/${file}`)).flatMap((name) => {
    const text = fs.readFileSync(path.join(FOLDER, name), 'utf8')
    const pattern = name.endsWith('.txt')
      ? /^# (.*)$/gm
      : /(?:\btest|\btest\.serial|\bonLinux|\bonIpv6|\brun)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g
    return [...text.matchAll(pattern)].map((match) => match[2] ?? match[1]!)
  })
}

test('every row of docs/conformance.md names tests that exist', (t) => {
  const rows = rowsOf(fs.readFileSync(path.join(FOLDER, '../docs/conformance.md'), 'utf8'))
  t.true(rows.length >= 40, `${rows.length} rows`)
  const faults: string[] = []
  for (const { line, clause, references } of rows)
    for (const reference of references) {
      const [, file, title] = REFERENCE.exec(reference) ?? []
      if (file === undefined || title === undefined) faults.push(`line ${line}, ${clause}: "${reference}" names no test`)
      else if (!titlesIn(file).some((each) => each.includes(title)))
        faults.push(`line ${line}, ${clause}: no test of ${file} has "${title}" in its title`)
    }
  t.deepEqual(faults, [])
})
