// What sender.c does, on machines without a compiler; run as a process of its own, since a full socket blocks it.

import * as fs from 'node:fs'
import { unixAddress } from '../../core/platform/datagram-socket.ts'
import { lastErrno, libc } from '../../core/platform/libc.ts'

const AF_UNIX = 1
const SOCK_DGRAM = 2
const LIMIT_MS = 150_000

const [socket, name, count, bytes, rate, stopFile] = process.argv.slice(2) as [string, string, string, string, string, string]
const address = unixAddress(socket)
const pause = new Int32Array(new SharedArrayBuffer(4))
const start = performance.now()
let fd = -1
let sent = 0
let retried = 0

function rest(ms: number): void {
  Atomics.wait(pause, 0, 0, ms)
}

function connected(): boolean {
  fd = libc.socket(AF_UNIX, SOCK_DGRAM, 0) as number
  if (libc.connect(fd, address, address.length) === 0) return true
  const errno = lastErrno()
  libc.close(fd)
  fd = -1
  if (errno !== 'ECONNREFUSED' && errno !== 'ENOENT') throw new Error(`connect: ${errno}`)
  return false
}

function send(message: Buffer): void {
  let tries = 0
  while (fd < 0 || (libc.send(fd, message, message.length, 0) as number) < 0) {
    if (fd >= 0 && ['EINTR', 'ENOBUFS'].includes(lastErrno())) continue
    if (fd >= 0) libc.close(fd)
    if (connected()) continue
    if (++tries === 1) retried++
    rest(1)
    if (performance.now() - start > LIMIT_MS) process.exit(1)
  }
}

for (let number = 1; number <= Number(count); number++) {
  if (number % 64 === 0 && fs.existsSync(stopFile)) break
  const early = Number(rate) > 0 ? start + (number * 1000) / Number(rate) - performance.now() : 0
  if (early > 0) rest(early)
  send(Buffer.from(`<13>${name}: ${number} `.padEnd(Number(bytes), 'x')))
  sent = number
}
process.stdout.write(`${JSON.stringify({ sent, retried })}\n`)
