// Fetches a model in a process of its own, for tests that start two or end one.
import { fetchModel } from '#lib/hub/model.js';

await fetchModel(process.argv[2]!);
