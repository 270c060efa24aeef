// The tree of files that every package holds, and what makes it the same bytes each time.

import * as fs from 'node:fs'
import * as path from 'node:path'

export class Tree {
  readonly root: string

  /** An empty one. */
  constructor(root: string) {
    this.root = root
    fs.rmSync(root, { recursive: true, force: true })
    fs.mkdirSync(root, { recursive: true })
  }

  place(file: string): string {
    return path.join(this.root, file)
  }

  put(file: string, content: string | Buffer, mode = 0o644): void {
    this.#makeParents(file)
    fs.writeFileSync(this.place(file), content)
    fs.chmodSync(this.place(file), mode)
  }

  copy(from: string, file: string, mode = 0o644): void {
    this.#makeParents(file)
    fs.copyFileSync(from, this.place(file))
    fs.chmodSync(this.place(file), mode)
  }

  directory(directory: string, mode = 0o755): void {
    this.#makeParents(path.join(directory, '.'))
    fs.chmodSync(this.place(directory), mode)
  }

  /** With all that is in it. */
  remove(place: string): void {
    fs.rmSync(this.place(place), { recursive: true, force: true })
  }

  removeEmptyDirectories(below: string): void {
    const names = fs.readdirSync(this.place(below), { recursive: true, encoding: 'utf8' }).sort()
    for (const name of names.reverse()) {
      const place = path.join(this.place(below), name)
      if (fs.statSync(place).isDirectory() && fs.readdirSync(place).length === 0) fs.rmdirSync(place)
    }
  }

  /** Every file, by its path below the root, sorted. */
  files(): string[] {
    return fs
      .readdirSync(this.root, { recursive: true, encoding: 'utf8' })
      .filter((name) => fs.lstatSync(this.place(name)).isFile())
      .sort()
  }

  /** Gives everything the same time. @param second since 1970 */
  settle(second: number): void {
    const names = fs.readdirSync(this.root, { recursive: true, encoding: 'utf8' }).sort()
    for (const name of [...names.reverse(), '.']) fs.lutimesSync(this.place(name), second, second)
  }

  /** Bytes of the files together. */
  get bytes(): number {
    return this.files().reduce((sum, file) => sum + fs.statSync(this.place(file)).size, 0)
  }

  // Whatever the umask is.
  #makeParents(file: string): void {
    const parts = path.dirname(path.normalize(`${file}x`)).split('/')
    for (let count = 1; count <= parts.length; count++) {
      const directory = this.place(parts.slice(0, count).join('/'))
      if (fs.existsSync(directory)) continue
      fs.mkdirSync(directory)
      fs.chmodSync(directory, 0o755)
    }
  }
}
