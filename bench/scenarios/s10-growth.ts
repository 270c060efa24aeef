// How the cost of a message grows with the number of hosts, its size, and the number of connections: the relay alone.

import { BYTES, cpuOf } from '../measure.ts'
import { loghopReceivers } from '../systems/loghop.ts'
import type { Receiver } from '../systems/system.ts'
import { type Load, receive } from './relay-alone.ts'
import { type Scenario, table } from './scenario.ts'

interface Case extends Load {
  readonly name: string
  readonly receiver: Receiver
}

const HOSTS = [1, 10, 100, 1000, 10_000]
const SIZES = [64, 200, 1024, 8192, 65_000]
const CONNECTIONS = [1, 8, 100, 1000, 2000]
const TOTAL_BYTES = 200_000_000

export const growth: Scenario = {
  id: 'S10',
  title: 'the relay alone: cost of a message by hosts, size and connections',
  async run(bench) {
    const messages = (bytes: number): number => bench.messages(Math.min(1_000_000, TOTAL_BYTES / bytes))
    const cases: Case[] = loghopReceivers
      .filter(({ protocol }) => protocol !== 'relp')
      .flatMap((receiver) => [
        ...HOSTS.map((hosts) => ({
          name: `${receiver.name}, ${hosts} hosts`,
          receiver,
          hosts,
          bytes: BYTES,
          connections: 8,
          messages: messages(BYTES),
        })),
        ...SIZES.map((bytes) => ({
          name: `${receiver.name}, ${bytes} B`,
          receiver,
          hosts: 100,
          bytes,
          connections: 8,
          messages: messages(bytes),
        })),
        ...CONNECTIONS.map((connections) => ({
          name: `${receiver.name}, ${connections} connections`,
          receiver,
          hosts: Math.max(100, connections),
          bytes: BYTES,
          connections,
          messages: messages(BYTES),
        })),
      ])
    const measured = await bench.inTurn(
      cases,
      (one, directory) => receive(one.receiver, directory, bench.tlsSender, one),
      ({ perSecond, receiving }) =>
        `${Math.round(perSecond)} messages/s, ${cpuOf(receiving).toFixed(2)} CPU s per million, peak ${receiving.peakMegabytes} MB`,
      1,
    )
    bench.write(
      table(
        ['relay', 'messages/s', 'CPU s per million', 'peak MB'],
        measured.map(({ one, results: [result] }) => [
          one.name,
          String(Math.round(result!.perSecond)),
          cpuOf(result!.receiving).toFixed(2),
          String(result!.receiving.peakMegabytes),
        ]),
      ),
    )
    return measured.map(({ one: { receiver, ...one }, results }) => ({ ...one, ...results[0] }))
  },
}
