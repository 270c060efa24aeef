// A small file system of its own in a file, whose power can be cut: what was not synced is gone afterwards.

import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import type { ExecutionContext } from 'ava'
import { temporaryDirectory } from './chain.ts'

export const FILE_SYSTEMS = ['ext4', 'xfs'] as const
export type FileSystem = (typeof FILE_SYSTEMS)[number]

// mkfs.xfs refuses less than 300 MB; the file is sparse.
const IMAGE_BYTES: Readonly<Record<FileSystem, number>> = { ext4: 128 << 20, xfs: 320 << 20 }
const MAKE: Readonly<Record<FileSystem, readonly string[]>> = { ext4: ['mkfs.ext4', '-q', '-F'], xfs: ['mkfs.xfs', '-q', '-f'] }

const mounted = new Set<string>()
// Also when the runner gives up on a test and no teardown runs.
process.on('exit', () => {
  for (const place of mounted) spawnSync('umount', ['-l', place])
})

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, encoding: 'utf8' })
}

function unmount(place: string): void {
  run('umount', place)
  mounted.delete(place)
}

/** What of the programs and rights is not there, in words; nothing when power can be cut. */
export function missingForPowerCuts(fileSystem: FileSystem): string[] {
  const wanted = {
    [`mkfs.${fileSystem}`]: fileSystem === 'ext4' ? 'e2fsprogs' : 'xfsprogs',
    xfs_io: 'xfsprogs',
    strace: 'strace',
    mount: 'mount',
  }
  const missing = Object.entries(wanted).flatMap(([program, debian]) => (isThere(program) ? [] : [`${program} (package ${debian})`]))
  if (process.getuid?.() !== 0) missing.push('root')
  if (!fs.existsSync('/dev/loop-control')) missing.push('loop devices')
  return missing
}

export function isThere(program: string): boolean {
  const places = [...(process.env['PATH'] ?? '').split(':'), '/sbin', '/usr/sbin']
  return places.some((place) => fs.existsSync(path.join(place, program)))
}

function detach(t: ExecutionContext, place: string): void {
  mounted.add(place)
  t.teardown(() => {
    spawnSync('umount', ['-l', place])
    mounted.delete(place)
  })
}

/** A tmpfs of that size, gone after the test. @returns where it is mounted */
export function smallDisk(t: ExecutionContext, bytes: number): string {
  const place = temporaryDirectory(t)
  run('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'tmpfs', place)
  detach(t, place)
  return place
}

export class LoopDisk {
  /** Where it is mounted. */
  readonly place: string
  readonly #image: string
  #device = ''

  private constructor(image: string, place: string) {
    this.#image = image
    this.place = place
  }

  /** @throws what mkfs or mount say */
  static make(t: ExecutionContext, fileSystem: FileSystem): LoopDisk {
    const directory = temporaryDirectory(t)
    const image = path.join(directory, 'image')
    const disk = new LoopDisk(image, path.join(directory, 'mounted'))
    fs.mkdirSync(disk.place)
    fs.writeFileSync(image, '')
    fs.truncateSync(image, IMAGE_BYTES[fileSystem])
    const [program, ...args] = MAKE[fileSystem]
    run(program!, ...args, image)
    // Before the first mount: what is done last at the end of a test is what was asked for first.
    detach(t, disk.place)
    disk.#mount()
    t.teardown(() => disk.#release())
    return disk
  }

  /**
   * Drops all that was not synced, and comes back as after a power cut. Nothing may have it open.
   * @param elsewhere under another device number, as disks do after a boot
   */
  cut(elsewhere = false): void {
    run('xfs_io', '-x', '-c', 'shutdown', this.place)
    unmount(this.place)
    const before = this.#device
    this.#release()
    const taken = `${this.#image}-other`
    fs.writeFileSync(taken, Buffer.alloc(4096))
    // When it fails, somebody else has it by now, which is as good.
    const isTaken = elsewhere && spawnSync('losetup', [before, taken], { stdio: 'ignore' }).status === 0
    this.#mount()
    if (isTaken) run('losetup', '--detach', before)
  }

  #mount(): void {
    this.#device = run('losetup', '--find', '--show', this.#image).trim()
    run('mount', this.#device, this.place)
    mounted.add(this.place)
  }

  /** Waits until the device has let go of the image, so that nothing of before the cut is left in its memory. */
  #release(): void {
    spawnSync('umount', ['-l', this.place], { stdio: 'ignore' })
    for (let tries = 0; tries < 200; tries++) {
      if (run('losetup', '--associated', this.#image).trim() === '') return
      spawnSync('losetup', ['--detach', this.#device], { stdio: 'ignore' })
      spawnSync('sleep', ['0.01'])
    }
    throw new Error(`${this.#device} does not let go of ${this.#image}`)
  }
}
