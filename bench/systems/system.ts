import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import { connect } from 'node:net'
import * as path from 'node:path'
import { initAuthority } from '../../pki/init.ts'
import { issueIdentity } from '../../pki/issue.ts'

/** One way from a local socket, by TLS with certificates on both sides, to a file per host. */
export interface System {
  readonly name: string
  /** Whether a message is acknowledged by the receiver before the sender forgets it. */
  readonly isAcknowledged: boolean
  /** @param isDurable with the disk queue that the manual advises. @throws when a program of it is not there */
  start(directory: string, isDurable?: boolean): Promise<Running>
}

/** The receiving half alone, for senders of our own. */
export interface Receiver {
  readonly name: string
  readonly isAcknowledged: boolean
  readonly protocol: 'counted' | 'relp' | 'batch'
  /** @throws when a program of it is not there */
  start(directory: string): Promise<Receiving>
}

export interface Receiving {
  readonly port: number
  /** An identity that may speak for every host below example.com. */
  readonly identity: string
  /** The directory with a directory for each host in it, whose file is `messages`. */
  readonly logs: string
  readonly host: Host
}

export interface Running {
  readonly socket: string
  readonly file: string
  readonly sending: Host
  readonly receiving: Host
}

/** The programs of one host. They can be killed and started again. */
export class Host {
  readonly #start: () => Promise<ChildProcess[]>
  #children: ChildProcess[] = []

  private constructor(start: () => Promise<ChildProcess[]>) {
    this.#start = start
  }

  static async start(start: () => Promise<ChildProcess[]>): Promise<Host> {
    const host = new Host(start)
    await host.again()
    return host
  }

  /** The programs of several as those of one. */
  static of(hosts: readonly Host[]): Host {
    const all = new Host(async () => {
      for (const host of hosts) await host.again()
      return hosts.flatMap((host) => host.#children)
    })
    all.#children = hosts.flatMap((host) => host.#children)
    return all
  }

  get pids(): number[] {
    return this.#children.map(({ pid }) => pid!)
  }

  async again(): Promise<void> {
    this.#children = await this.#start()
  }

  async kill(): Promise<void> {
    await endPrograms(this.#children, 'SIGKILL')
  }

  async stop(): Promise<void> {
    await endPrograms(this.#children, 'SIGTERM')
  }
}

export async function stopRunning({ sending, receiving }: Running): Promise<void> {
  await sending.stop()
  await receiving.stop()
}

export const HOST = 'web01.example.com'
export const RECEIVER = 'relay.example.com'

/** Starts a program; its output is shown when it ends before it is asked to. */
export function startProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  let said = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString('utf8')}`.slice(-4000)
    })
  child.once('exit', (code, signal) => {
    if (signal === null && code !== 0) process.stderr.write(`${path.basename(program)} ended with ${code}:\n${said}\n`)
  })
  return child
}

async function endPrograms(children: readonly ChildProcess[], signal: NodeJS.Signals): Promise<void> {
  await Promise.all(
    children.map((child) => {
      if (child.exitCode !== null || child.signalCode !== null) return undefined
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill(signal)
      const killed = setTimeout(() => child.kill('SIGKILL'), 10_000)
      return ended.then(() => clearTimeout(killed))
    }),
  )
}

export async function untilThere(file: string): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!fs.existsSync(file)) {
    if (performance.now() > deadline) throw new Error(`${file} did not appear`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export async function untilListening(port: number): Promise<void> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (isOpen) return
    if (performance.now() > deadline) throw new Error(`nothing listens on port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** An identity for each side, of one authority. */
export async function makeIdentities(directory: string): Promise<{ sending: string; receiving: string }> {
  const authority = path.join(directory, 'ca')
  const sending = path.join(directory, 'sending')
  const receiving = path.join(directory, 'receiving')
  await initAuthority({ directory: authority, name: 'Bench' }, Date.now())
  await issueIdentity({ name: RECEIVER, role: 'relay', san: ['localhost', '127.0.0.1'], directory: authority, out: receiving }, Date.now())
  await issueIdentity({ name: HOST, role: 'relay', speaksFor: ['*.example.com'], directory: authority, out: sending }, Date.now())
  return { sending, receiving }
}

export function which(program: string, ...more: readonly string[]): string {
  const found = [...`${process.env['PATH']}:/usr/sbin:/sbin`.split(':').map((folder) => `${folder}/${program}`)].find((file) =>
    fs.existsSync(file),
  )
  const missing = found === undefined ? program : more.find((file) => !fs.existsSync(file))
  if (missing !== undefined) throw new Error(`${missing} is not installed`)
  return found!
}
