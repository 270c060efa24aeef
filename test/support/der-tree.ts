// DER taken apart so that a test can break it on purpose.

import { type Der, readDer, TAG, writeDer } from './der.ts'

/** A value whose parts, or whose octets, may be changed. */
export interface Tree {
  tag: number
  content: Buffer
  parts: Tree[]
}

function treeOf({ tag, content, parts }: Der): Tree {
  return { tag, content, parts: parts.map(treeOf) }
}

function isConstructed(tag: number): boolean {
  return (tag & 0x20) !== 0
}

export function writeTree({ tag, content, parts }: Tree): Buffer {
  return isConstructed(tag) ? writeDer(tag, ...parts.map(writeTree)) : writeDer(tag, content)
}

export function leaf(tag: number, content: Buffer | string): Tree {
  return { tag, content: typeof content === 'string' ? Buffer.from(content, 'latin1') : content, parts: [] }
}

export function node(tag: number, ...parts: Tree[]): Tree {
  return { tag, content: Buffer.alloc(0), parts }
}

/** The same with something changed. */
export function changed(der: Buffer, change: (tree: Tree) => void): Buffer {
  const tree = treeOf(readDer(der, 1 << 20))
  change(tree)
  return writeTree(tree)
}

/** The extension with that OID (hex of its content) of a list of them. */
export function extensionIn(list: Tree, oid: string): Tree {
  return list.parts.find(({ parts }) => parts[0]!.content.toString('hex') === oid)!
}

/** Changes what an extension says, inside its OCTET STRING. */
export function changeValue(extension: Tree, change: (value: Tree) => void): void {
  const octets = extension.parts.at(-1)!
  octets.content = changed(octets.content, change)
}

/** An extension: OID in hex, perhaps critical, and the DER of its value. */
export function extension(oid: string, critical: boolean, value: Tree): Tree {
  const flag = critical ? [leaf(TAG.BOOLEAN, '\xff')] : []
  return node(TAG.SEQUENCE, leaf(TAG.OID, Buffer.from(oid, 'hex')), ...flag, leaf(TAG.OCTET_STRING, writeTree(value)))
}
