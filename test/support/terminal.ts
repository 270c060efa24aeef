// A pseudo-terminal that python3 opens.

import { type ChildProcess, spawn } from 'node:child_process'
import * as fs from 'node:fs'
import type { ExecutionContext } from 'ava'

const TERMINAL = `
import os, pty, sys, threading
master, slave = pty.openpty()
os.fchmod(slave, int(sys.argv[2], 8))
print(os.ttyname(slave), flush=True)
def show():
    with open(sys.argv[1], 'ab', 0) as f:
        while True: f.write(os.read(master, 65536))
for line in sys.stdin:
    if line.strip() == 'show': threading.Thread(target=show, daemon=True).start()
`

export interface Terminal {
  readonly device: string
  readonly child: ChildProcess
  text(): string
}

/** @param out what it shows is written there. @param isShown whether someone looks; else it fills up */
export async function startTerminal(t: ExecutionContext, out: string, isShown: boolean, mode = '620'): Promise<Terminal> {
  fs.writeFileSync(out, '')
  const child = spawn('python3', ['-c', TERMINAL, out, mode], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => void child.kill('SIGKILL'))
  const device = await new Promise<string>((resolve) => child.stdout!.once('data', (bytes: Buffer) => resolve(bytes.toString().trim())))
  if (isShown) child.stdin!.write('show\n')
  return { device, child, text: () => fs.readFileSync(out, 'utf8') }
}
