// The package for npm: Node takes no types away below node_modules, so the programs are in it as plain JavaScript, in lib/, which is there for the packing alone.

import { execFileSync } from 'node:child_process'
import * as path from 'node:path'
import { addPrograms } from './application.ts'
import { Tree } from './tree.ts'

/** Makes lib/ in a checkout. */
export function putPrograms(root: string): Tree {
  const tree = new Tree(path.join(root, 'lib'))
  addPrograms(tree, root, '.')
  return tree
}

/** What "npm pack" does, also where npm is told to run no scripts. @returns the file */
export function packNpm(root: string, out: string): string {
  const tree = putPrograms(root)
  try {
    const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--silent', `--pack-destination=${out}`], {
      cwd: root,
      encoding: 'utf8',
    })
    return path.join(out, packed.trim().split('\n').at(-1)!)
  } finally {
    tree.remove('.')
  }
}
