import { type ChildProcess, spawn } from 'node:child_process'
import { BYTES, output, send, untilSize } from '../measure.ts'
import { type Host, type Receiving, stopRunning } from '../systems/system.ts'
import { residentMegabytes, usageOf } from '../usage.ts'
import { type Scenario, table } from './scenario.ts'

const CONNECTIONS = 1000
const HANDSHAKES = 4000
const SETTLE_MS = 5000
const IDLE_MS = 10_000

function resident({ pids }: Host): number {
  return pids.reduce((sum, pid) => sum + residentMegabytes(pid), 0)
}

function cpuSeconds({ pids }: Host): number {
  return pids.reduce((sum, pid) => sum + usageOf(pid).userSeconds + usageOf(pid).systemSeconds, 0)
}

function start(program: string, { port, identity }: Receiving, ...args: Array<string | number>): ChildProcess {
  return spawn(program, [String(port), identity, ...args.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] })
}

export const idle: Scenario = {
  id: 'S5',
  title: `memory at rest, with ${CONNECTIONS} connections that say nothing, and handshakes`,
  async run(bench) {
    const atRest = await bench.inTurn(
      bench.systems,
      async (system, directory) => {
        const running = await system.start(directory)
        try {
          await send(bench.sender, running, 1, BYTES)
          await untilSize(running.file, 1)
          await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
          return { sending: resident(running.sending), receiving: resident(running.receiving) }
        } finally {
          await stopRunning(running)
        }
      },
      ({ sending, receiving }) => `at rest: ${sending} and ${receiving} MB`,
      1,
    )
    const loaded = await bench.inTurn(
      bench.receivers,
      async (receiver, directory) => {
        const running = await receiver.start(directory)
        try {
          const connections = bench.messages(CONNECTIONS)
          const held = start(bench.tlsSender, running, 'idle', connections, connections, connections, BYTES)
          const gone = output(held)
          await new Promise((resolve) => held.stdout!.once('data', resolve))
          await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
          const before = cpuSeconds(running.host)
          await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
          const busy = (cpuSeconds(running.host) - before) / (IDLE_MS / 1000)
          const megabytes = resident(running.host)
          held.stdin!.end()
          await gone
          const handshakes = bench.messages(HANDSHAKES)
          const { seconds } = JSON.parse(await output(start(bench.tlsSender, running, 'counted', 8, 0, handshakes, BYTES))) as {
            seconds: number
          }
          return { megabytes, busy, handshakes: handshakes / seconds }
        } finally {
          await running.host.stop()
        }
      },
      ({ megabytes, busy, handshakes }) =>
        `${megabytes} MB and ${(busy * 100).toFixed(1)} % of a core with ${bench.messages(CONNECTIONS)} connections; ${Math.round(handshakes)} handshakes/s`,
      1,
    )
    bench.write(
      table(
        [
          'system',
          'sending, at rest, MB',
          'receiving, at rest, MB',
          `receiving, ${CONNECTIONS} connections, MB`,
          '% of a core',
          'handshakes/s',
        ],
        atRest.map(({ one, results: [rest] }) => {
          const full = loaded.find((entry) => entry.one.name.startsWith(one.name))?.results[0]
          const more =
            full === undefined
              ? ['-', '-', '-']
              : [String(full.megabytes), (full.busy * 100).toFixed(1), String(Math.round(full.handshakes))]
          return [one.name, String(rest!.sending), String(rest!.receiving), ...more]
        }),
      ),
    )
    return {
      atRest: atRest.map(({ one, results }) => ({ name: one.name, ...results[0] })),
      loaded: loaded.map(({ one, results }) => ({ name: one.name, ...results[0] })),
    }
  },
}
