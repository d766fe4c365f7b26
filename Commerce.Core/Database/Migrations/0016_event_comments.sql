-- Changes comments only: no row is read or written.
ALTER TABLE event
  MODIFY opens_at DATETIME(6) NULL COMMENT 'NULL: the event is a draft.',
  MODIFY closes_at DATETIME(6) NULL COMMENT 'NULL: the event stays open.',
  MODIFY version INT NOT NULL DEFAULT 1 COMMENT 'Incremented by every change. The schedule in Redis follows the highest version.',
  MODIFY opening_seq BIGINT NULL COMMENT 'Sequence number of the opening: gapless, in commit order. It is also the id in the live stream.',
  ALGORITHM=INSTANT;
