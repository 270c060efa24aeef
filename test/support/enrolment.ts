// An authority with its server running, and a client that can also misbehave.

import { X509Certificate } from 'node:crypto'
import * as fs from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import * as https from 'node:https'
import * as path from 'node:path'
import * as tls from 'node:tls'
import type { ExecutionContext } from 'ava'
import { parseToken } from '../../core/identity/token.ts'
import type { ActSession } from '../../pki/act-session.ts'
import { Authority } from '../../pki/authority.ts'
import { type InviteOrder, invite } from '../../pki/invitations.ts'
import { temporaryDirectory } from './chain.ts'
import { type MadeCsr, makeCsr } from './csr.ts'
import { Daemon, loghop } from './daemon.ts'
import { LIMIT_MS } from './eventually.ts'
import { withHooks } from './hooked.ts'

export const EST = '/.well-known/est'

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
}

export interface ClientCertificate {
  readonly key: string
  readonly cert: string
}

export interface Asked {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  readonly as?: ClientCertificate
}

export interface Invitation {
  readonly name: string
  readonly secret: string
}

/** The certificates of a certs-only answer, in their order: each begins where a DER sequence can be read as one. */
export function certificatesOf(reply: Reply): X509Certificate[] {
  const der = Buffer.from(reply.body.toString('latin1'), 'base64')
  const found: X509Certificate[] = []
  for (let at = der.indexOf(Buffer.from('a0', 'hex'), 30); at < der.length; ) {
    at = der.indexOf(Buffer.from('3082', 'hex'), at)
    if (at < 0) break
    const length = 4 + der.readUInt16BE(at + 2)
    try {
      const certificate = new X509Certificate(der.subarray(at, at + length))
      found.push(certificate)
      at += certificate.raw.length
    } catch {
      at += 1
    }
  }
  return found
}

export class Enrolment {
  readonly directory: string
  server!: Daemon
  port = 0
  readonly #t: ExecutionContext

  private constructor(t: ExecutionContext, directory: string) {
    this.#t = t
    this.directory = directory
  }

  /** Authority made, server running on a free port, named localhost and 127.0.0.1. */
  static async start(t: ExecutionContext): Promise<Enrolment> {
    const enrolment = new Enrolment(t, temporaryDirectory(t))
    const made = await loghop('pki', 'init', '--directory', enrolment.authority, '--name', 'Test Logs')
    t.is(made.code, 0, made.stderr)
    fs.writeFileSync(enrolment.clock, '0')
    await enrolment.serve()
    return enrolment
  }

  get authority(): string {
    return path.join(this.directory, 'ca')
  }

  /** How far off the server's wall clock is, in milliseconds. */
  get clock(): string {
    return path.join(this.directory, 'clock')
  }

  get rootFile(): string {
    return path.join(this.authority, 'root-1.pem')
  }

  get ca(): string {
    return fs.readFileSync(this.rootFile, 'utf8')
  }

  async serve(): Promise<void> {
    this.server = withHooks(['jumping-clock'], () => Daemon.serve(this.#t, this.authority, '--name', 'localhost', '--log-level', 'debug'), {
      LOGHOP_TEST_CLOCK: this.clock,
    })
    this.port = Number(/127\.0\.0\.1:(\d+)/.exec(await this.server.event('started'))![1])
  }

  jump(offMs: number): void {
    fs.writeFileSync(this.clock, String(offMs))
  }

  /** What the authority's journal holds of one act. */
  acts(act: string): Record<string, unknown>[] {
    const lines = fs.readFileSync(path.join(this.authority, 'journal'), 'utf8').trimEnd().split('\n')
    return lines.map((line) => JSON.parse(line.slice(65)) as Record<string, unknown>).filter((one) => one['act'] === act)
  }

  /** An act beside the server, as a command in another process does it. */
  act<T>(work: (session: ActSession) => T | Promise<T>): Promise<T> {
    return Authority.open(this.authority, { by: 'test' }).act(work)
  }

  async invite(name = 'web01.example.com', options: Partial<InviteOrder> = {}): Promise<Invitation> {
    const order = { name, role: 'agent', ttlMs: 3_600_000, uses: 1, server: `localhost:${this.port}`, ...options }
    const { token } = await this.act((session) => invite(session, order))
    const result = parseToken(token)
    if (result.kind === 'malformed') throw new Error(result.reason)
    return { name, secret: result.token.secret }
  }

  ask(where: string, asked: Asked = {}): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const { method = asked.body === undefined ? 'GET' : 'POST', headers = {}, as } = asked
      const connection = { host: '127.0.0.1', servername: 'localhost', port: this.port, ca: this.ca, agent: false, timeout: LIMIT_MS }
      const request = https.request(
        { ...connection, ...as, path: where, method, headers: { Connection: 'close', ...headers } },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () => {
            const body = Buffer.concat(chunks)
            resolve({ status: response.statusCode!, headers: response.headers, body, text: body.toString('utf8') })
          })
        },
      )
      request.on('error', reject)
      request.end(asked.body)
    })
  }

  enrol(
    invitation: { name: string; secret: string },
    csr: MadeCsr | string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Reply> {
    const basic = Buffer.from(`${invitation.name}:${invitation.secret}`).toString('base64')
    return this.ask(`${EST}/simpleenroll`, {
      headers: { 'Content-Type': 'application/pkcs10', Authorization: `Basic ${basic}`, ...headers },
      body: typeof csr === 'string' ? csr : csr.der.toString('base64'),
    })
  }

  renew(as: ClientCertificate | undefined, csr: MadeCsr, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    return this.ask(`${EST}/simplereenroll`, {
      headers: { 'Content-Type': 'application/pkcs10', ...headers },
      body: csr.der.toString('base64'),
      ...(as === undefined ? {} : { as }),
    })
  }

  /** Invites, enrols, and gives what a host has from then on. */
  async host(name = 'web01.example.com'): Promise<ClientCertificate & { readonly leaf: X509Certificate }> {
    const csr = await makeCsr(name)
    const reply = await this.enrol(await this.invite(name), csr)
    this.#t.is(reply.status, 200, reply.text)
    return hostOf(reply, csr)
  }

  /** Bytes over TLS as they are. @param write is given the socket; what comes back until the end is the result */
  raw(write: (socket: tls.TLSSocket) => void, options: tls.ConnectionOptions = {}): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', servername: 'localhost', port: this.port, ca: this.ca, ...options })
      let got = ''
      socket.setEncoding('latin1').on('data', (text: string) => {
        got += text
      })
      socket.on('error', (error) => (got === '' ? reject(error) : resolve(got)))
      socket.on('close', () => resolve(got))
      socket.once('secureConnect', () => write(socket))
      this.#t.teardown(() => socket.destroy())
    })
  }
}

export function hostOf(reply: Reply, csr: MadeCsr): ClientCertificate & { readonly leaf: X509Certificate } {
  const chain = certificatesOf(reply)
  return { key: csr.key.pem, cert: chain.map((one) => one.toString()).join(''), leaf: chain[0]! }
}
