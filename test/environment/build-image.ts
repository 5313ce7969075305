// `npm run test:image [-- gpu]`: builds environment.Dockerfile and runs the quick tests inside the image. Takes some minutes.
import { ownArchitecture } from './debian.js';
import { buildImage } from './image.js';

const kind = process.argv[2] ?? 'cpu';
if (kind !== 'cpu' && kind !== 'gpu') throw new Error(`Unknown kind of image '${kind}'. Choose cpu or gpu.`);

const image = buildImage(kind, ownArchitecture);
console.error(`Built in ${image.seconds} s.`);
try {
  image.inside('tunebook doctor');
  image.inside('npm start');
  image.inside('npm test -- --quick');
} finally {
  image.close();
}
console.log(image.description);
