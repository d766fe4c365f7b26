-- A catalogue that is written by EF Core leaves out what the sale writes: these columns get their first value from here.
-- In this order, so that the file can be run again where it failed between the two.
ALTER TABLE event ALTER COLUMN status SET DEFAULT 'DRAFT', ALGORITHM=INSTANT;
ALTER TABLE product
  ALTER COLUMN stock SET DEFAULT 0,
  ADD COLUMN version INT NOT NULL DEFAULT 1 COMMENT 'raised with every new definition; the stock moves without it',
  ALGORITHM=INSTANT;
