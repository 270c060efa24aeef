import * as fs from 'node:fs'
import { connect, createServer } from 'node:net'
import * as path from 'node:path'
import { LoghopError } from '../base/errors.ts'

export type StatusDocument = Readonly<Record<string, unknown>>

const STATUS_LIMIT_BYTES = 16 << 20

function socketPath(spoolDirectory: string): string {
  return path.join(spoolDirectory, 'status.sock')
}

/** Answers each connection with the status as JSON, then ends it. The spool's folder (0700) decides who may ask. */
export async function serveStatus(spoolDirectory: string, status: () => StatusDocument): Promise<() => void> {
  const file = socketPath(spoolDirectory)
  fs.rmSync(file, { force: true }) // ours alone: the spool's lock is held
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.end(JSON.stringify(status()))
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
export function askStatus(spoolDirectory: string): Promise<StatusDocument> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const fail = (reason: string): void =>
      reject(
        new LoghopError(
          'NOT_RUNNING',
          `Cannot ask for the status of ${spoolDirectory}: ${reason}`,
          'Start the daemon, or ask as the user that runs it',
        ),
      )
    const socket = connect(socketPath(spoolDirectory))
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer within 5 s')))
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
        resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as StatusDocument)
      } catch {
        fail('the answer is no JSON')
      }
    })
  })
}
