import { spawn } from 'node:child_process'
import type { ExecutionContext } from 'ava'

/**
 * Runs the script again and again, killed so many milliseconds after it has said something, until one run ends by itself: well, and without having said `never`.
 * @param killAfterMs undefined for a run that is let be
 * @returns how many were killed
 */
export async function killedRuns(
  t: ExecutionContext,
  script: string,
  args: readonly string[],
  killAfterMs: (run: number) => number | undefined,
  never: RegExp,
): Promise<number> {
  let kills = 0
  for (let run = 0; ; run++) {
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    child.stderr.on('data', (bytes) => {
      said += bytes
    })
    const exited = new Promise<[number | null, string | null]>((resolve) => child.once('exit', (code, signal) => resolve([code, signal])))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    const afterMs = killAfterMs(run)
    const timer = afterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), afterMs)
    const [code, signal] = await exited
    clearTimeout(timer)
    t.notRegex(said, never)
    if (signal === 'SIGKILL') kills++
    else if (code === 0) return kills
    else throw new Error(`ended with ${code}: ${said}`)
  }
}
