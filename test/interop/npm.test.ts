// The package for npm: packed, installed from the file as anyone would, and run, also by a Node that is too old for it.

import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { temporaryDirectory } from '../support/chain.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const MINUTE_MS = 60_000

function npm(t: ExecutionContext, directory: string, command: 'npm' | 'npx', ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: directory, encoding: 'utf8' })
  t.is(status, 0, `${command} ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Node 20 to 23, where the machine has one. */
function olderNode(): string | undefined {
  return process.env['PATH']!.split(':')
    .map((directory) => path.join(directory, 'node'))
    .filter((file) => fs.existsSync(file))
    .find((file) => /^v2[0-3]\./.test(execFileSync(file, ['--version'], { encoding: 'utf8' })))
}

test.serial(
  'npm pack makes a package that npm i -g and npx run, and a Node that is too old hands over to the one that came with it',
  (t) => {
    t.timeout(15 * MINUTE_MS)
    const directory = temporaryDirectory(t)
    const name = npm(t, ROOT, 'npm', 'pack', '--silent', '--ignore-scripts=false', `--pack-destination=${directory}`)
      .trim()
      .split('\n')
      .at(-1)!
    t.false(fs.existsSync(path.join(ROOT, 'lib')), 'what was made for the package is left in the checkout')
    const file = path.join(directory, name)
    const listed = execFileSync('tar', ['-tzf', file], { encoding: 'utf8' }).trim().split('\n')
    t.deepEqual(
      listed.filter((one) => /\.tsx?$|^package\/(test|bench|packaging|node_modules)\//.test(one)),
      [],
    )
    t.log(`${name}: ${listed.length} files, ${(fs.statSync(file).size / 1024).toFixed(0)} KiB`)

    npm(t, directory, 'npm', 'install', '--global', '--prefer-offline', '--no-audit', '--no-fund', `--prefix=${directory}/prefix`, file)
    const program = path.join(directory, 'prefix/bin/loghop')
    // Its first line names whichever "node" comes first.
    const run = (node: string, ...args: readonly string[]): ReturnType<typeof spawnSync> =>
      spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, PATH: `${path.dirname(node)}:${process.env['PATH']}` } })
    t.like(run(process.execPath, '--version'), { status: 0, stdout: '0.1.0\n', stderr: '' })
    const demo = run(process.execPath, 'demo', '--once')
    t.is(demo.status, 0, String(demo.stderr))
    t.regex(String(demo.stdout), /web01\.example\.com .*hello from the demo/)
    t.like(run(process.execPath, 'nonsense'), { status: 64 })

    const old = olderNode()
    if (old === undefined) t.log('not tried: no Node older than 24 is here')
    else {
      t.like(run(old, '--version'), { status: 0, stdout: '0.1.0\n', stderr: '' })
      t.like(run(old, 'nonsense'), { status: 64 })
      for (const one of fs.globSync(`${directory}/prefix/lib/node_modules/loghop/node_modules/node-linux-*`))
        fs.rmSync(one, { recursive: true })
      const alone = run(old, '--version')
      t.is(alone.status, 1)
      t.regex(String(alone.stderr), /^loghop: cannot run on Node 2\d\.\S+, it needs 24 or newer: .*\n$/)
    }
    t.is(npm(t, directory, 'npx', '--yes', '--prefer-offline', `--package=${file}`, 'loghop', '--version'), '0.1.0\n')
  },
)
