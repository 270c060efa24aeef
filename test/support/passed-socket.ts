import { spawn } from 'node:child_process'
import type { ExecutionContext } from 'ava'
import { ENTRY, type Ended, watched } from './daemon.ts'

export interface WithSocket {
  said: string
  readonly ended: Promise<Ended>
  signal(signal: NodeJS.Signals): void
}

/** Runs the program with a socket passed to it as systemd does, under the name `passed`. */
export function runWithSocket(t: ExecutionContext, fd: number, ...args: readonly string[]): WithSocket {
  return commandWithSocket(t, fd, process.execPath, ENTRY, ...args)
}

/** The same with any command that ends as the program. */
export function commandWithSocket(t: ExecutionContext, fd: number, ...command: readonly string[]): WithSocket {
  const passing = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=passed exec "$0" "$@"'
  const child = spawn('sh', ['-c', passing, ...command], { stdio: ['ignore', 'ignore', 'pipe', fd] })
  const running = { said: '', ended: watched(t, child), signal: (signal: NodeJS.Signals) => void child.kill(signal) }
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    running.said += text
  })
  return running
}
