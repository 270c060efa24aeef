// Agent, two site relays of which the second is for failover, and a central relay: real processes that are killed and come back.

import * as fs from 'node:fs'
import type { ExecutionContext } from 'ava'
import { askStatus } from '../../core/daemon/status-socket.ts'
import { AGENT_NAME, Chain, type Status } from './chain.ts'
import { Daemon } from './daemon.ts'
import { eventually } from './eventually.ts'
import { fixedPort } from './fixed-port.ts'
import { sendDatagrams } from './local-sender.ts'

export const RELAYS = ['a', 'b', 'central'] as const
export type RelayName = (typeof RELAYS)[number]
export type TierName = 'agent' | RelayName

export interface TiersOptions {
  /** Relays that the agent knows, in order. */
  readonly relays: readonly RelayName[]
}

export class Tiers {
  readonly chain: Chain
  readonly names: readonly TierName[]
  readonly #t: ExecutionContext
  readonly #configs = new Map<TierName, string>()
  readonly #running = new Map<TierName, Daemon>()
  /** What daemons have said that are gone. */
  readonly #past: Daemon[] = []

  private constructor(t: ExecutionContext, chain: Chain, names: readonly TierName[]) {
    this.#t = t
    this.chain = chain
    this.names = names
  }

  /** Identities and configurations; nothing runs yet. */
  static async make(t: ExecutionContext, options: TiersOptions): Promise<Tiers> {
    const chain = await Chain.make(t)
    const used = [...options.relays, 'central'] as const
    const tiers = new Tiers(t, chain, ['agent', ...used])
    const central = await fixedPort()
    const ports: number[] = []
    for (const name of used) {
      const identity = await chain.issue(`${name}-identity`, {
        name: `${name}.example.com`,
        role: 'relay',
        san: ['127.0.0.1'],
        speaksFor: ['*.example.com'],
      })
      const port = name === 'central' ? central : await fixedPort()
      if (name !== 'central') ports.push(port)
      const onward = name === 'central' ? [] : [{ forward: [`127.0.0.1:${central}`] }]
      tiers.#write(name, {
        identity,
        spool: { directory: chain.place(`${name}-spool`) },
        listeners: [{ tls: `127.0.0.1:${port}`, clients: { names: ['*.example.com'] } }],
        destinations: [{ files: chain.place(`${name}-logs/$HOST/messages`) }, ...onward],
      })
    }
    tiers.#write('agent', { ...chain.agentOptions, relays: ports.map((port) => `127.0.0.1:${port}`) })
    return tiers
  }

  #write(name: TierName, configuration: unknown): void {
    const file = this.chain.place(`${name}.yaml`)
    fs.writeFileSync(file, JSON.stringify(configuration))
    this.#configs.set(name, file)
  }

  /** What the agent's messages are filed in there. */
  file(relay: RelayName): string {
    return this.chain.place(`${relay}-logs/${AGENT_NAME}/messages`)
  }

  spool(name: TierName): string {
    return this.chain.place(`${name}-spool`)
  }

  daemon(name: TierName): Daemon {
    return this.#running.get(name)!
  }

  /** Starts it and returns at once. */
  spawn(name: TierName): void {
    const before = this.#running.get(name)
    if (before !== undefined) this.#past.push(before)
    this.#running.set(name, Daemon.spawn(this.#t, name === 'agent' ? 'agent' : 'relay', this.#configs.get(name)!))
  }

  async start(): Promise<void> {
    for (const name of [...this.names].reverse()) {
      this.spawn(name)
      await this.daemon(name).event('started')
    }
  }

  /**
   * Waits until what was sent has gone all the way and stands in the files. A last message, number 1 of the sender s0, is sent for it: what is still in
   * the socket's queue, or between it and the spool, is in no lag, and comes before that one.
   */
  async settled(): Promise<void> {
    await this.daemon('agent').event('started')
    const failed = sendDatagrams(this.chain.socket, ['<13>s0: 1 x'])
    if (failed !== undefined) throw new Error(`Cannot send the last message: ${failed}`)
    await eventually(
      'the last message to stand in the files of central',
      () => fs.existsSync(this.file('central')) && / s0(?:\[\d+\])?: 1 x\n/.test(fs.readFileSync(this.file('central'), 'latin1')),
      () => this.said,
    )
    for (const name of this.names) {
      await this.daemon(name).event('started')
      await eventually(
        `${name} to have delivered everything`,
        async () => {
          const status = (await askStatus(this.spool(name))) as unknown as Status
          return status.destinations.every((destination) => destination.lag_bytes === 0)
        },
        () => this.said,
      )
    }
  }

  /** The last of what each has said. */
  get said(): string {
    const all = [...this.#past, ...this.#running.values()]
    return all
      .slice(-12)
      .map((daemon) => daemon.said.slice(-2000))
      .join('\n')
  }

  /** Everything that any of them has said. */
  get lines(): string[] {
    return [...this.#past, ...this.#running.values()].flatMap((daemon) => daemon.lines)
  }
}
