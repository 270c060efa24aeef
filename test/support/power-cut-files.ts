// A disk in memory that forgets as a real one may: what was not synced is kept, dropped or torn, each block and each directory entry for itself.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { FileStat, Files } from '../../core/base/files.ts'
import type { Random } from './random.ts'

const BLOCK_BYTES = 512
const { O_CREAT, O_EXCL, O_TRUNC, O_ACCMODE, O_RDONLY } = { O_ACCMODE: 3, ...fs.constants }

export type Call = Exclude<keyof Files, 'close'>

/** What an injected fault does to one call. */
export type Fault =
  | { readonly kind: 'error'; readonly code: string }
  /** A write that takes only so many bytes and says so, as a full disk does. */
  | { readonly kind: 'short'; readonly bytes: number }
  /** The process ends here: nothing after this call happens, what was done before stands. */
  | { readonly kind: 'death' }

/** Thrown into code whose process is gone; nothing may catch it and go on. */
export class ProcessGone extends Error {}

export function errnoError(code: string, call: string, file: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${call} '${file}'`), { code, syscall: call, path: file })
}

class FileNode {
  readonly inode: number
  content = Buffer.alloc(0)
  size = 0
  durable = Buffer.alloc(0)
  durableSize = 0
  /** Blocks written since the last sync that took them. */
  readonly dirty = new Set<number>()
  /** Blocks whose sync failed: clean to the next sync, and not on the disk. */
  readonly lost = new Set<number>()
  isSizeDirty = false

  constructor(inode: number) {
    this.inode = inode
  }

  ensure(bytes: number): void {
    if (this.content.length >= bytes) return
    const larger = Buffer.alloc(Math.max(bytes, this.content.length * 2, BLOCK_BYTES))
    this.content.copy(larger, 0, 0, this.size)
    this.content = larger
  }

  touch(from: number, to: number): void {
    for (let block = Math.floor(from / BLOCK_BYTES); block * BLOCK_BYTES < to; block++) {
      this.dirty.add(block)
      this.lost.delete(block)
    }
  }

  resize(size: number): void {
    if (size > this.size) {
      this.ensure(size)
      this.content.fill(0, this.size, size)
    }
    this.touch(Math.min(size, this.size), Math.max(size, this.size))
    this.content.fill(0, size)
    this.size = size
    this.isSizeDirty = true
  }

  block(of: Buffer, index: number): Buffer {
    const bytes = Buffer.alloc(BLOCK_BYTES)
    if (index * BLOCK_BYTES < of.length) of.copy(bytes, 0, index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES)
    return bytes
  }

  setDurable(index: number, bytes: Buffer): void {
    const end = (index + 1) * BLOCK_BYTES
    if (this.durable.length < end)
      this.durable = Buffer.concat([this.durable, Buffer.alloc(Math.max(end, this.durable.length * 2) - this.durable.length)])
    bytes.copy(this.durable, index * BLOCK_BYTES)
  }
}

class DirectoryNode {
  readonly inode: number
  entries = new Map<string, TreeNode>()
  durable = new Map<string, TreeNode>()

  constructor(inode: number) {
    this.inode = inode
  }
}

type TreeNode = FileNode | DirectoryNode

interface Pending {
  readonly process: number
  readonly finish: () => void
}

export class PowerCutDisk {
  #root = new DirectoryNode(1)
  #inodes = 1
  #process = 0
  #pending: Pending[] = []
  #open = 0
  #died = false
  /** Asked before each call of the living process. */
  fault: (call: Call, file: string) => Fault | undefined = () => undefined
  /** While true a sync off the event loop waits for `settle`; else it ends in the same turn. */
  holdsSyncs = false

  /** Descriptors that the living process holds. */
  get openFiles(): number {
    return this.#open
  }

  /** An injected death has ended the process, perhaps where it could not be told. */
  get hasDied(): boolean {
    return this.#died
  }

  get hasPending(): boolean {
    return this.#pending.length > 0
  }

  /** Ends the syncs that are under way. */
  settle(): void {
    const pending = this.#pending
    this.#pending = []
    for (const one of pending) if (one.process === this.#process) one.finish()
  }

  /** The process is gone, the machine runs on: all that was written is still there. */
  crash(): void {
    this.#process++
    this.#pending = []
    this.#open = 0
  }

  /** The power is gone: each unsynced block and entry is kept, dropped or torn, whatever became of the others. */
  cut(random: Random): void {
    this.crash()
    this.#cutDirectory(this.#root, random)
  }

  /** A new process on this disk; what it is given ends with it. */
  start(): Files {
    this.#died = false
    return new ProcessFiles(this, this.#process)
  }

  /** The bytes of a file as a process would read them now. */
  content(file: string): Buffer | undefined {
    const node = this.find(file)
    return node instanceof FileNode ? Buffer.from(node.content.subarray(0, node.size)) : undefined
  }

  /** Changes a file behind everybody's back, durably: a disk that rots. */
  damage(file: string, change: (bytes: Buffer) => Buffer): void {
    const node = this.find(file)
    if (!(node instanceof FileNode)) throw errnoError('ENOENT', 'damage', file)
    const bytes = change(Buffer.from(node.content.subarray(0, node.size)))
    node.content = Buffer.from(bytes)
    node.size = bytes.length
    this.markDurable(node)
  }

  /** Makes a folder that has always been there. */
  prepare(directory: string): void {
    let node: TreeNode = this.#root
    for (const part of directory.split('/').filter((name) => name !== '')) {
      const next: TreeNode = (node as DirectoryNode).entries.get(part) ?? new DirectoryNode(this.newInode())
      ;(node as DirectoryNode).entries.set(part, next)
      ;(node as DirectoryNode).durable.set(part, next)
      node = next
    }
  }

  remove(file: string): void {
    const directory = this.find(path.dirname(file))
    if (!(directory instanceof DirectoryNode)) throw errnoError('ENOENT', 'remove', file)
    directory.entries.delete(path.basename(file))
    directory.durable.delete(path.basename(file))
  }

  markDurable(node: FileNode): void {
    for (let block = 0; block * BLOCK_BYTES < node.size; block++)
      node.setDurable(block, node.block(node.content.subarray(0, node.size), block))
    node.durableSize = node.size
    node.isSizeDirty = false
    node.dirty.clear()
    node.lost.clear()
  }

  die(): void {
    this.crash()
    this.#died = true
  }

  isAlive(process: number): boolean {
    return process === this.#process
  }

  newInode(): number {
    return ++this.#inodes
  }

  counted(change: number): void {
    this.#open += change
  }

  hold(finish: () => void): void {
    if (this.holdsSyncs) this.#pending.push({ process: this.#process, finish })
    else finish()
  }

  find(file: string): TreeNode | undefined {
    let node: TreeNode | undefined = this.#root
    for (const part of file.split('/')) {
      if (part === '') continue
      if (!(node instanceof DirectoryNode)) return undefined
      node = node.entries.get(part)
    }
    return node
  }

  #cutDirectory(directory: DirectoryNode, random: Random): void {
    const after = new Map<string, TreeNode>()
    for (const name of new Set([...directory.durable.keys(), ...directory.entries.keys()])) {
      const old = directory.durable.get(name)
      const now = directory.entries.get(name)
      const left = old === now || random.chance(0.5) ? now : old
      if (left !== undefined) after.set(name, left)
    }
    directory.entries = after
    directory.durable = new Map(after)
    for (const node of after.values()) {
      if (node instanceof DirectoryNode) this.#cutDirectory(node, random)
      else this.#cutFile(node, random)
    }
  }

  #cutFile(node: FileNode, random: Random): void {
    // Some cuts drop or keep everything, as a disk does that was far behind or nearly done.
    const kept = random.pick([0, 0.5, 0.5, 0.9, 1])
    let size = node.size
    if (node.isSizeDirty && !random.chance(kept)) {
      size = random.chance(0.7)
        ? node.durableSize
        : random.int(Math.min(node.size, node.durableSize), Math.max(node.size, node.durableSize))
    }
    for (const block of new Set([...node.dirty, ...node.lost])) {
      if (!random.chance(kept)) {
        if (random.chance(0.8)) continue
        const torn = node.block(node.durable, block)
        node.block(node.content, block).copy(torn, 0, 0, random.int(1, BLOCK_BYTES - 1))
        node.setDurable(block, torn)
      } else node.setDurable(block, node.block(node.content, block))
    }
    const content = Buffer.alloc(size)
    node.durable.copy(content, 0, 0, size)
    node.content = content
    node.size = size
    node.durable = Buffer.alloc(0)
    this.markDurable(node)
  }
}

interface OpenFile {
  readonly node: FileNode
  readonly file: string
  readonly isWritable: boolean
}

class ProcessFiles implements Files {
  readonly #disk: PowerCutDisk
  readonly #process: number
  readonly #descriptors = new Map<number, OpenFile>()
  #next = 3

  constructor(disk: PowerCutDisk, process: number) {
    this.#disk = disk
    this.#process = process
  }

  open(file: string, flags: number, _mode: number): number {
    this.#enter('open', file)
    const directory = this.#directory(path.dirname(file), 'open')
    const name = path.basename(file)
    let node = directory.entries.get(name)
    if (node instanceof DirectoryNode) throw errnoError('EISDIR', 'open', file)
    if (node === undefined) {
      if ((flags & O_CREAT) === 0) throw errnoError('ENOENT', 'open', file)
      node = new FileNode(this.#disk.newInode())
      directory.entries.set(name, node)
    } else if ((flags & O_EXCL) !== 0) throw errnoError('EEXIST', 'open', file)
    else if ((flags & O_TRUNC) !== 0) node.resize(0)
    const fd = this.#next++
    this.#descriptors.set(fd, { node, file, isWritable: (flags & O_ACCMODE) !== O_RDONLY })
    this.#disk.counted(1)
    return fd
  }

  close(fd: number): void {
    if (!this.#disk.isAlive(this.#process)) throw new ProcessGone('close')
    this.#held(fd, 'close')
    this.#descriptors.delete(fd)
    this.#disk.counted(-1)
  }

  write(fd: number, bytes: Uint8Array, offset: number, length: number, position: number): number {
    const { node, file, isWritable } = this.#held(fd, 'write')
    if (!isWritable) throw errnoError('EBADF', 'write', file)
    const fault = this.#enter('write', file)
    const taken = fault?.kind === 'short' ? Math.min(length, fault.bytes) : length
    if (taken === 0) return 0
    const end = position + taken
    node.ensure(end)
    if (position > node.size) node.content.fill(0, node.size, position)
    node.content.set(bytes.subarray(offset, offset + taken), position)
    node.touch(Math.min(position, node.size), end)
    if (end > node.size) {
      node.size = end
      node.isSizeDirty = true
    }
    return taken
  }

  read(fd: number, into: Uint8Array, offset: number, length: number, position: number): number {
    const { node, file } = this.#held(fd, 'read')
    this.#enter('read', file)
    const got = Math.max(0, Math.min(length, node.size - position))
    into.set(node.content.subarray(position, position + got), offset)
    return got
  }

  stat(fd: number): FileStat {
    const { node, file } = this.#held(fd, 'stat')
    this.#enter('stat', file)
    return statOf(node)
  }

  statPath(file: string): FileStat | undefined {
    this.#enter('statPath', file)
    const node = this.#disk.find(file)
    return node === undefined ? undefined : statOf(node)
  }

  truncate(fd: number, size: number): void {
    const { node, file } = this.#held(fd, 'truncate')
    this.#enter('truncate', file)
    node.resize(size)
  }

  async syncData(fd: number): Promise<void> {
    await this.#syncLater('syncData', fd)
  }

  syncDataNow(fd: number): void {
    this.#syncNow('syncDataNow', fd)
  }

  sync(fd: number): void {
    this.#syncNow('sync', fd)
  }

  async syncLater(fd: number): Promise<void> {
    await this.#syncLater('syncLater', fd)
  }

  rename(from: string, to: string): void {
    this.#enter('rename', to)
    const source = this.#directory(path.dirname(from), 'rename')
    const node = source.entries.get(path.basename(from))
    if (node === undefined) throw errnoError('ENOENT', 'rename', from)
    this.#directory(path.dirname(to), 'rename').entries.set(path.basename(to), node)
    source.entries.delete(path.basename(from))
  }

  unlink(file: string): void {
    this.#enter('unlink', file)
    if (!this.#directory(path.dirname(file), 'unlink').entries.delete(path.basename(file))) throw errnoError('ENOENT', 'unlink', file)
  }

  makeDirectory(directory: string, _mode: number): void {
    this.#enter('makeDirectory', directory)
    const parts = directory.split('/').filter((part) => part !== '')
    for (let depth = 1; depth <= parts.length; depth++) {
      const place = `/${parts.slice(0, depth).join('/')}`
      const node = this.#disk.find(place)
      if (node instanceof FileNode) throw errnoError('EEXIST', 'mkdir', place)
      if (node === undefined)
        this.#directory(path.dirname(place), 'mkdir').entries.set(parts[depth - 1]!, new DirectoryNode(this.#disk.newInode()))
    }
  }

  list(directory: string): string[] {
    this.#enter('list', directory)
    return [...this.#directory(directory, 'list').entries.keys()]
  }

  syncDirectory(directory: string): void {
    this.#enter('syncDirectory', directory)
    const node = this.#directory(directory, 'syncDirectory')
    node.durable = new Map(node.entries)
  }

  syncDirectoryLater(directory: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const node = this.#directory(directory, 'syncDirectoryLater')
      const entries = new Map(node.entries)
      const fault = this.#asked('syncDirectoryLater', directory)
      if (fault === 'gone') return
      this.#disk.hold(() => {
        if (fault !== undefined) reject(fault)
        else {
          // What was added or removed since the call is not covered.
          for (const [name, entry] of entries) node.durable.set(name, entry)
          for (const name of [...node.durable.keys()]) if (!entries.has(name)) node.durable.delete(name)
          resolve()
        }
      })
    })
  }

  freeBytes(file: string): number {
    this.#enter('freeBytes', file)
    return 1 << 30
  }

  #held(fd: number, call: string): OpenFile {
    if (!this.#disk.isAlive(this.#process)) throw new ProcessGone(call)
    const held = this.#descriptors.get(fd)
    if (held === undefined) throw errnoError('EBADF', call, `fd ${fd}`)
    return held
  }

  #directory(place: string, call: string): DirectoryNode {
    const node = this.#disk.find(place)
    if (node instanceof DirectoryNode) return node
    throw errnoError(node === undefined ? 'ENOENT' : 'ENOTDIR', call, place)
  }

  /** @throws what is injected, or ProcessGone; a short write is the caller's to make */
  #enter(call: Call, file: string): Fault | undefined {
    if (!this.#disk.isAlive(this.#process)) throw new ProcessGone(call)
    const fault = this.#disk.fault(call, file)
    if (fault?.kind === 'error') throw errnoError(fault.code, call, file)
    if (fault?.kind === 'death') {
      this.#disk.die()
      throw new ProcessGone(call)
    }
    return fault
  }

  /** For calls off the event loop: a dead process never hears of them again. */
  #asked(call: Call, file: string): Error | 'gone' | undefined {
    try {
      this.#enter(call, file)
      return undefined
    } catch (error) {
      return error instanceof ProcessGone ? 'gone' : (error as Error)
    }
  }

  #syncNow(call: 'sync' | 'syncDataNow', fd: number): void {
    const { node, file } = this.#held(fd, call)
    try {
      this.#enter(call, file)
    } catch (error) {
      loseDirty(node)
      throw error
    }
    takeDirty(node)()
  }

  #syncLater(call: 'syncData' | 'syncLater', fd: number): Promise<void> {
    const { node, file } = this.#held(fd, call)
    return new Promise((resolve, reject) => {
      const fault = this.#asked(call, file)
      if (fault === 'gone') return
      if (fault !== undefined) {
        loseDirty(node)
        this.#disk.hold(() => reject(fault))
        return
      }
      const apply = takeDirty(node)
      this.#disk.hold(() => {
        apply()
        resolve()
      })
    })
  }
}

function statOf(node: TreeNode): FileStat {
  const isFile = node instanceof FileNode
  return { device: 1, inode: node.inode, size: isFile ? node.size : 0, isFile, isDirectory: !isFile }
}

/** After a failed sync the pages count as clean, and are not on the disk. */
function loseDirty(node: FileNode): void {
  for (const block of node.dirty) node.lost.add(block)
  node.dirty.clear()
}

/** Notes what a sync covers, at its start; the result makes that durable, at its end. Until then a cut may take it. */
function takeDirty(node: FileNode): () => void {
  const blocks = [...node.dirty].map((block) => ({ block, bytes: node.block(node.content.subarray(0, node.size), block) }))
  const { size } = node
  return () => {
    for (const { block, bytes } of blocks) {
      node.setDurable(block, bytes)
      if (node.block(node.content.subarray(0, node.size), block).equals(bytes)) node.dirty.delete(block)
    }
    node.durableSize = size
    if (node.size === size) node.isSizeDirty = false
  }
}
