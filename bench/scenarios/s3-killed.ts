// What is lost and what comes twice when one side is killed (SIGKILL) under load and started again three seconds later, with disk queues on.
// The sender waits while nobody reads the socket; what stood in the socket's queue goes with the program that was to read it.

import * as fs from 'node:fs'
import { BYTES, send, sizeOf } from '../measure.ts'
import { type System, stopRunning } from '../systems/system.ts'
import { type Scenario, table } from './scenario.ts'

const RATE = 50_000
const KILL_AFTER_MS = 3000
const AWAY_MS = 3000
/** Nothing more is expected of a file that has not grown for this long: some peers wait a minute before they try again. */
const QUIET_MS = 70_000
/** So long after the last of all lines, those that come twice are waited for. */
const LATE_MS = 3000

interface Killed {
  readonly lost: number
  readonly doubled: number
}

async function untilQuiet(file: string, messages: number, mayEnd: () => boolean): Promise<void> {
  let size = -1
  let lineBytes = 0
  for (let since = performance.now(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    const now = sizeOf(file)
    if (lineBytes === 0 && now > 4096) lineBytes = fs.readFileSync(file).indexOf(10) + 1
    if (now !== size) since = performance.now()
    size = now
    const quietMs = lineBytes > 0 && size >= messages * lineBytes ? LATE_MS : QUIET_MS
    if (mayEnd() && performance.now() - since >= quietMs) return
  }
}

/** Numbers as the sender writes them, ten digits and then nineteen of the time. */
function count(file: string, messages: number): Killed {
  const seen = new Uint8Array(messages + 1)
  let doubled = 0
  for (const [, digits] of fs.readFileSync(file, 'latin1').matchAll(/ (\d{10}) \d{19} /g)) {
    const number = Number(digits)
    if (seen[number] === 1) doubled++
    seen[number] = 1
  }
  return { lost: messages - seen.reduce((sum, one) => sum + one, 0), doubled }
}

async function kill(system: System, side: 'sending' | 'receiving', directory: string, sender: string, messages: number): Promise<Killed> {
  const running = await system.start(directory, true)
  try {
    let isSent = false
    const sent = send(sender, running, messages, BYTES, RATE).finally(() => {
      isSent = true
    })
    await new Promise((resolve) => setTimeout(resolve, KILL_AFTER_MS))
    await running[side].kill()
    await new Promise((resolve) => setTimeout(resolve, AWAY_MS))
    await running[side].again()
    await untilQuiet(running.file, messages, () => isSent)
    await sent
    return count(running.file, messages)
  } finally {
    await stopRunning(running)
  }
}

export const killed: Scenario = {
  id: 'S3',
  title: `one side killed for ${AWAY_MS / 1000} s at ${RATE} messages/s, disk queues on: lost and doubled`,
  async run(bench) {
    const messages = bench.messages(500_000)
    const results: Array<{ name: string; receiving?: Killed; sending?: Killed }> = bench.systems.map(({ name }) => ({ name }))
    for (const side of ['receiving', 'sending'] as const) {
      const measured = await bench.inTurn(
        bench.systems,
        (system, directory) => kill(system, side, directory, bench.sender, messages),
        ({ lost, doubled }) => `${side} host killed: ${lost} lost, ${doubled} doubled`,
        1,
      )
      for (const {
        one,
        results: [result],
      } of measured)
        results.find(({ name }) => name === one.name)![side] = result!
    }
    const inWords = (one: Killed | undefined): string => (one === undefined ? '-' : `${one.lost} / ${one.doubled}`)
    bench.write(
      table(
        ['system', 'receiving host killed: lost / doubled', 'sending host killed: lost / doubled'],
        results.map(({ name, receiving, sending }) => [name, inWords(receiving), inWords(sending)]),
      ),
    )
    return results
  },
}
