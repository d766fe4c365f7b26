-- The number of changes of an order: the sequence of its messages in ORDER_CHANGED. The previous version does not count its own changes and sends no messages.
ALTER TABLE orders ADD COLUMN changes INT NOT NULL DEFAULT 1, ALGORITHM=INSTANT;
