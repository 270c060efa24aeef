// npm run bench:micro: every script beside this one in turn, each in a process of its own, so that none warms up another's code.

import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { fileURLToPath } from 'node:url'

const HELPERS = ['run.ts', 'measure.ts']
const directory = fileURLToPath(new URL('.', import.meta.url))
for (const name of fs.readdirSync(directory).sort()) {
  if (!name.endsWith('.ts') || HELPERS.includes(name)) continue
  const { status } = spawnSync(process.execPath, [`${directory}${name}`, ...process.argv.slice(2)], { stdio: 'inherit' })
  if (status !== 0) {
    process.stderr.write(`bench/micro/${name} ended with ${status}\n`)
    process.exitCode = 1
  }
}
