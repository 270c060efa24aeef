// What package-lock.json says is needed at run time, and where it comes from.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import * as fs from 'node:fs'
import * as path from 'node:path'

export const ARCHITECTURES = { amd64: 'x64', arm64: 'arm64' } as const
export type Architecture = keyof typeof ARCHITECTURES

interface Locked {
  readonly version: string
  readonly integrity?: string
  readonly dev?: boolean
  readonly optional?: boolean
}

function lockedPackages(root: string): Map<string, Locked> {
  const { packages } = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> }
  return new Map(Object.entries(packages).filter(([place]) => place !== ''))
}

/** Places below `root` of what the programs need, without what belongs to one processor alone. */
export function neededPackages(root: string): string[] {
  return [...lockedPackages(root)].filter(([, { dev, optional }]) => dev !== true && optional !== true).map(([place]) => place)
}

/**
 * A package of another processor, from the registry, as the lock file names it.
 * @param cache where it is kept for the next time
 * @returns its directory
 * @throws when what came is not what was locked
 */
export function fetched(root: string, cache: string, name: string): string {
  const installed = path.join(root, 'node_modules', name)
  if (fs.existsSync(installed)) return installed
  const locked = lockedPackages(root).get(`node_modules/${name}`)
  if (locked?.integrity === undefined) throw new Error(`Cannot fetch ${name}: package-lock.json does not name it`)
  const directory = path.join(cache, `${name.replace('/', '+')}-${locked.version}`)
  if (fs.existsSync(path.join(directory, 'package.json'))) return directory
  fs.mkdirSync(directory, { recursive: true })
  const packed = execFileSync('npm', ['pack', '--silent', `--pack-destination=${cache}`, `${name}@${locked.version}`], { encoding: 'utf8' })
  const file = path.join(cache, packed.trim().split('\n').at(-1)!)
  const digest = `sha512-${createHash('sha512').update(fs.readFileSync(file)).digest('base64')}`
  if (digest !== locked.integrity) throw new Error(`Cannot use ${name}: what came is not what package-lock.json names`)
  execFileSync('tar', ['-xzf', file, '-C', directory, '--strip-components=1', '--no-same-owner'])
  fs.unlinkSync(file)
  return directory
}
