// A local datagram socket that python3 receives from, since Node has none.

import { spawn } from 'node:child_process'
import type { ExecutionContext } from 'ava'

const RECEIVER = `
import os, socket, sys, time
path, out, pause = sys.argv[1], sys.argv[2], float(sys.argv[3])
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(path)
time.sleep(pause)
with open(out, 'ab', 0) as f:
    while True: f.write(s.recv(1 << 20) + b'\\n')
`

/** @param out each datagram is a line of this file */
export function startReceiver(t: ExecutionContext, socket: string, out: string, pauseSeconds = 0) {
  const child = spawn('python3', ['-c', RECEIVER, socket, out, String(pauseSeconds)], { stdio: 'ignore' })
  t.teardown(() => void child.kill('SIGKILL'))
  return child
}
