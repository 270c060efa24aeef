// Compresses a closed file in its place. Whatever stops it, a whole file stands under one of the two names: what a crash leaves in between is the plain one,
// beside a part that is removed later, or beside the whole packed one, which is made again from it.

import * as fs from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { createGzip, createZstdCompress } from 'node:zlib'

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants
/** At the end of the name of what is not whole yet. */
export const PARTIAL = '.partial'

export const COMPRESSIONS = ['none', 'gzip', 'zstd'] as const
export type Compression = (typeof COMPRESSIONS)[number]

/** The folder is the caller's, open. */
export interface PackPlace {
  readonly fd: number
  /** Where a name of it is reached. */
  at(name: string): string
}

/**
 * The packed file stands, durable, before the plain one goes. Owner, mode and time of the last write are the plain one's.
 * @param isNeeded whether someone may write to the file, or read it, under its inode: asked again at the end
 * @throws the errno of the failing call; ESTALE when the file is another one, or was written to meanwhile; or the signal's reason. The plain file stays then
 */
export async function packFile(
  { fd, at }: PackPlace,
  name: string,
  compression: Exclude<Compression, 'none'>,
  isNeeded: (inode: number) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const packed = `${name}${compression === 'gzip' ? '.gz' : '.zst'}`
  const partial = `${packed}${PARTIAL}`
  const source = fs.openSync(at(name), O_RDONLY | O_NOFOLLOW)
  let target: number | undefined
  try {
    const stat = fs.fstatSync(source)
    target = fs.openSync(at(partial), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    await pipeline(
      fs.createReadStream('', { fd: source, autoClose: false, start: 0 }),
      compression === 'gzip' ? createGzip() : createZstdCompress(),
      fs.createWriteStream('', { fd: target, autoClose: false, start: 0 }),
      { signal },
    )
    fs.fchmodSync(target, stat.mode & 0o777)
    const made = fs.fstatSync(target)
    if (made.uid !== stat.uid || made.gid !== stat.gid) fs.fchownSync(target, stat.uid, stat.gid)
    fs.futimesSync(target, stat.atimeMs / 1000, stat.mtimeMs / 1000)
    const written = target
    await new Promise<void>((resolve, reject) => fs.fsync(written, (error) => (error === null ? resolve() : reject(error))))
    // From here to the end nothing else runs in this process. Someone may have moved the plain one meanwhile, and put another in its place.
    const now = fs.lstatSync(at(name))
    if (now.ino !== stat.ino || now.size !== stat.size || now.mtimeMs !== stat.mtimeMs || isNeeded(stat.ino))
      throw Object.assign(new Error(`${name} was replaced or written to meanwhile`), { code: 'ESTALE' })
    fs.renameSync(at(partial), at(packed))
    fs.fsyncSync(fd)
    fs.unlinkSync(at(name))
  } catch (error) {
    if (target !== undefined) fs.rmSync(at(partial), { force: true })
    throw error
  } finally {
    fs.closeSync(source)
    if (target !== undefined) fs.closeSync(target)
  }
}
