import * as fs from 'node:fs'
import { connect, createServer } from 'node:net'
import * as path from 'node:path'
import { LoghopError } from '../base/errors.ts'
import type { Reloaded } from './reload.ts'

export type StatusDocument = Readonly<Record<string, unknown>>

const STATUS_LIMIT_BYTES = 16 << 20

function socketPath(spoolDirectory: string): string {
  return path.join(spoolDirectory, 'status.sock')
}

/** A word that asks for something else than the status. */
const RELOAD = 'reload'
const REQUEST_LIMIT_BYTES = 64
const REQUEST_LIMIT_MS = 5000
const STATUS_LIMIT_MS = 5000
/** Destinations that go or are made anew have their time before the answer. */
const RELOAD_LIMIT_MS = 60_000

/**
 * Answers each connection, once its request has ended, with JSON: the status, or how a reload went. The spool's folder (0700) decides who may ask.
 * Whoever asks and says nothing gets the status.
 */
export async function serveStatus(
  spoolDirectory: string,
  status: () => StatusDocument,
  reload: () => Promise<Reloaded>,
): Promise<() => void> {
  const file = socketPath(spoolDirectory)
  fs.rmSync(file, { force: true }) // ours alone: the spool's lock is held
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let request = ''
    socket.on('error', () => undefined)
    socket.setTimeout(REQUEST_LIMIT_MS, () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      request += chunk.toString('latin1')
      if (request.length > REQUEST_LIMIT_BYTES) socket.destroy()
    })
    socket.on('end', () => {
      socket.setTimeout(0)
      if (request.trim() !== RELOAD) socket.end(JSON.stringify(status()))
      else void reload().then((answer) => socket.end(JSON.stringify(answer)))
    })
  })
  server.maxConnections = 8
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(file, resolve)
  })
  fs.chmodSync(file, 0o600)
  server.unref()
  return () => server.close()
}

/** Asks the daemon that has this spool. @throws {LoghopError} none answers */
export async function askStatus(spoolDirectory: string): Promise<StatusDocument> {
  return (await ask(spoolDirectory, '', 'ask for the status of', STATUS_LIMIT_MS)) as StatusDocument
}

/** Has it read its configuration again. @throws {LoghopError} none answers */
export async function askReload(spoolDirectory: string): Promise<Reloaded> {
  return (await ask(spoolDirectory, RELOAD, 'reload the daemon of', RELOAD_LIMIT_MS)) as Reloaded
}

function ask(spoolDirectory: string, request: string, what: string, limitMs: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const fail = (reason: string): void =>
      reject(
        new LoghopError('NOT_RUNNING', `Cannot ${what} ${spoolDirectory}: ${reason}`, 'Start the daemon, or ask as the user that runs it'),
      )
    const socket = connect(socketPath(spoolDirectory))
    socket.setTimeout(limitMs, () => socket.destroy(new Error(`no answer within ${limitMs / 1000} s`)))
    socket.end(request)
    socket.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > STATUS_LIMIT_BYTES) socket.destroy(new Error('the answer is too large'))
      chunks.push(chunk)
    })
    socket.on('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? 'nothing runs there' : error.message),
    )
    socket.on('end', () => {
      try {
        resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')))
      } catch {
        fail('the answer is no JSON')
      }
    })
  })
}
