import { LoghopError } from '../core/base/errors.ts'
import { takeLock } from '../core/platform/lock.ts'

// Ours: an act takes milliseconds, an RSA key on a slow machine seconds.
const WAIT_MS = 30_000
const LOOK_MS = 5

/**
 * Takes the lock of a file, waiting while another process (or another opened authority of this one) has it.
 * @throws {LoghopError} PKI_LOCKED after 30 s
 */
export async function lockWithin(file: string, waitMs = WAIT_MS): Promise<{ release(): void }> {
  const until = performance.now() + waitMs
  for (let lookMs = LOOK_MS; ; lookMs = Math.min(lookMs * 1.5, 50)) {
    const lock = takeLock(file)
    if (lock !== undefined) return lock
    if (performance.now() > until) {
      const sentence = `Cannot act on the authority: another process has held ${file} for ${Math.round(waitMs / 1000)} s`
      throw new LoghopError('PKI_LOCKED', sentence, `Find out which one hangs: fuser -v ${file}`)
    }
    // Uneven, so that many that wait do not look at the same moments.
    await new Promise((resolve) => setTimeout(resolve, lookMs * (0.5 + Math.random())))
  }
}
