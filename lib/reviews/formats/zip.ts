/** ZIP archives, whose checksums yauzl leaves to its users: of single files, and of Excel workbooks, which are archives. */
import zlib from 'node:zlib';
import yauzl, { type Entry, type ZipFile } from 'yauzl';

/** Opens an archive: a path, or the whole archive. */
export const openZip = (archive: string | Buffer): Promise<ZipFile> =>
  new Promise((resolve, reject) => {
    const options = { lazyEntries: true, autoClose: false } as const;
    const opened = (error: Error | null, file: ZipFile) => (error ? reject(error) : resolve(file));
    if (typeof archive === 'string') yauzl.open(archive, options, opened);
    else yauzl.fromBuffer(archive, options, opened);
  });

/** Lists the files of an archive. */
export async function entriesOf(zip: ZipFile): Promise<Entry[]> {
  const entries: Entry[] = [];
  await new Promise<void>((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      entries.push(entry);
      zip.readEntry();
    });
    zip.on('end', resolve).on('error', reject);
    zip.readEntry();
  });
  return entries;
}

/**
 * Decompresses a file of an archive and closes the archive.
 * @throws Error if the bytes do not have the checksum that the archive states
 */
export async function* openEntry(zip: ZipFile, entry: Entry): AsyncGenerator<Buffer> {
  try {
    const stream = await new Promise<AsyncIterable<Buffer>>((resolve, reject) => {
      zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream)));
    });
    let checksum = 0;
    for await (const bytes of stream) {
      checksum = zlib.crc32(bytes, checksum);
      yield bytes;
    }
    if (checksum !== entry.crc32) throw new Error(`the checksum of ${entry.fileName} is wrong`);
  } finally {
    zip.close();
  }
}

/** @throws Error if a file of an archive does not have the checksum that the archive states */
export async function checkArchive(archive: Buffer): Promise<void> {
  for (const entry of await entriesOf(await openZip(archive)))
    for await (const bytes of openEntry(await openZip(archive), entry)) void bytes;
}
