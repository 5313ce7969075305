// `npm run test:image [-- gpu]`: builds environment.Dockerfile for real and runs the quick part of the tests inside. Takes some minutes.
import { buildImage, ownArchitecture } from './image.js';

const kind = process.argv[2] ?? 'cpu';
if (kind !== 'cpu' && kind !== 'gpu') throw new Error(`The image is for cpu or gpu, not for '${kind}'.`);

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
