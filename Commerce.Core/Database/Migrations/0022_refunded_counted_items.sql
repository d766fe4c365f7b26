-- Refunded units do not count for their customer.
ALTER TABLE counted_item ADD COLUMN refunded INT NOT NULL DEFAULT 0, ALGORITHM=INSTANT;
