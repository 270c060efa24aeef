import * as fs from 'node:fs'
import type { OpenFile } from './file-cache.ts'
import type { RememberedFile } from './replay.ts'
import { writeAgain } from './write-again.ts'

/** Makes open files durable, and remembers those for which it failed. */
export class FileSyncs {
  /** Descriptors whose last sync failed. */
  readonly #unsynced = new Set<number>()

  /**
   * After a failed sync the pages count as clean although they are not on the disk, and the next one would say that all is well: so what came since the
   * last durable checkpoint is written again, in its place, first.
   * @param remembered the file as that checkpoint knows it
   * @throws the errno of fdatasync or of writing again
   */
  async sync(file: OpenFile, remembered: RememberedFile | undefined): Promise<void> {
    if (this.#unsynced.has(file.fd)) {
      writeAgain(file.fd, remembered?.inode === file.inode ? Math.min(remembered.size, file.size) : 0, file.size)
      this.#unsynced.delete(file.fd)
    }
    file.isDirty = false
    await new Promise<void>((resolve, reject) =>
      fs.fdatasync(file.fd, (error) => {
        // A descriptor that was closed meanwhile was synced before.
        if (error === null || error.code === 'EBADF') resolve()
        else {
          file.isDirty = true
          this.#unsynced.add(file.fd)
          reject(error)
        }
      }),
    )
  }
}
