// node bench/micro/receive.ts [rounds]: what taking a datagram off the local socket costs, the system's part included and the sender's left out.
// In a network namespace of its own when it may make one: with the kernel's queue of 10 a call brings few.

import { spawn } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import { DatagramReceiver, receiverBytes } from '../../core/platform/datagram-receiver.ts'
import { bindDatagramSocket, closeSocket } from '../../core/platform/datagram-socket.ts'
import { compile } from '../compile.ts'
import { ranInNamespace } from '../namespace.ts'
import { measure } from './measure.ts'

const MESSAGES = 200_000
const LIMIT_BYTES = 65_536
function main(): void {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'loghop-micro-'))
  try {
    const sender = compile(directory, 'sender')
    const socket = path.join(directory, 'log')
    const fd = bindDatagramSocket(socket, 0o600)
    const receiver = new DatagramReceiver(fd, new ArrayBuffer(receiverBytes(LIMIT_BYTES)), LIMIT_BYTES)
    let sum = 0
    measure('receive: 200 B', MESSAGES, () => {
      spawn(sender, [socket, String(MESSAGES), '200'], { stdio: 'ignore' })
      for (let taken = 0; taken < MESSAGES; ) {
        const count = receiver.receive(true)
        for (let index = 0; index < count; index++) sum += receiver.length(index) + receiver.pid(index) + receiver.micros(index)
        taken += count
      }
      return sum
    })
    closeSocket(fd)
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

if (!ranInNamespace()) main()
