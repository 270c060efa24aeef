// Bytes that cross the network for messages as servers write them. On loopback each byte sent is one received: what the interface has counted, TCP's and TLS's own
// bytes and acknowledgements included.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { output, untilLines } from '../measure.ts'
import { realisticLines } from '../realistic.ts'
import { loghopZstd } from '../systems/loghop.ts'
import { stopRunning } from '../systems/system.ts'
import { ratio, type Scenario, table } from './scenario.ts'

function loopbackBytes(): number {
  const line = fs
    .readFileSync('/proc/net/dev', 'latin1')
    .split('\n')
    .find((one) => one.trim().startsWith('lo:'))!
  return Number(line.trim().split(/\s+/)[1])
}

export const wire: Scenario = {
  id: 'S6',
  title: 'bytes on the wire for messages as servers write them',
  async run(bench) {
    const lines = realisticLines(bench.messages(300_000))
    const file = `${bench.directory}/realistic`
    fs.writeFileSync(file, `${lines.join('\n')}\n`)
    const plainBytes = fs.statSync(file).size
    const measured = await bench.inTurn(
      [loghopZstd, ...bench.systems],
      async (system, directory) => {
        const running = await system.start(directory)
        try {
          const before = loopbackBytes()
          await output(spawn(bench.sender, [running.socket, String(lines.length), `@${file}`], { stdio: ['ignore', 'pipe', 'inherit'] }))
          await untilLines(running.file, lines.length)
          return ((loopbackBytes() - before) * 1_000_000) / lines.length
        } finally {
          await stopRunning(running)
        }
      },
      (bytes) => `${(bytes / 1e6).toFixed(1)} MB per million`,
      1,
    )
    bench.write(`(the messages themselves: ${(plainBytes / lines.length).toFixed(0)} MB per million)`)
    const entries = measured.map(({ one, results }) => ({ name: one.name, value: results[0]! }))
    bench.write(
      table(
        ['system', 'MB per million messages'],
        entries.map(({ name, value }) => [name, (value / 1e6).toFixed(1)]),
      ),
    )
    bench.write(`bytes: ${ratio(entries, ({ value }) => value, true)}`)
    return entries
  },
}
