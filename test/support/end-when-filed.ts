import type { FilesDestination } from '../../core/destinations/files.ts'

const LOOK_MS = 5

/** Ends this process when all that stands in the spool is filed. @param before each look */
export function endWhenFiled(destination: FilesDestination, closeSpool: () => Promise<void>, before?: () => Promise<void>): void {
  const timer = setInterval(async () => {
    await before?.()
    if (destination.status()['lag_bytes'] !== 0) return
    clearInterval(timer)
    await destination.stop(AbortSignal.timeout(10_000))
    await closeSpool()
    destination.close()
    process.exit(0)
  }, LOOK_MS)
}
