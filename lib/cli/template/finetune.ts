// Fine-tunes a small model on reviews.csv. Run: npx tunebook setup && node finetune.ts (Node 22.18 or newer).
import { loadReviews, TextClassifier, Trainer } from 'tunebook';

const reviews = await loadReviews('reviews.csv'); // train, validation, test, labels
const model = await TextClassifier.load('embedded', { reading: reviews.source.reading }); // columns and classes
const trainer = new Trainer(model, { epochs: 3 });
await trainer.train(reviews.train, { validation: reviews.validation });
const { accuracy, interval } = await trainer.evaluate(reviews.test);
console.log(`accuracy ${accuracy.toFixed(3)}, 95 % interval ${interval.low.toFixed(3)} to ${interval.high.toFixed(3)}`);
console.log(model.predict(['The item came damaged, 1 star.', 'Works as described.']));
model.save('model'); // for npx tunebook export model, and for Python's transformers
