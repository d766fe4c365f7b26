-- Events of earlier versions have no waiting room. The previous version takes orders without a pass, so set the first rate after a deployment has finished.
ALTER TABLE event
  ADD COLUMN waiting_room_rate  INT        NULL COMMENT 'Shoppers admitted per second. Null: no waiting room.',
  ADD COLUMN waiting_room_epoch INT        NOT NULL DEFAULT 0 COMMENT 'Raised whenever the room is opened in Redis; its places are those of one epoch.',
  ADD COLUMN waiting_room_key   BINARY(32) NULL COMMENT 'Signs the passes of this event. Created with the first epoch.',
  ALGORITHM=INSTANT;

-- Who was let in, and until when. A pass is given only for a row. Rows are never changed.
CREATE TABLE IF NOT EXISTS waiting_room_admission (
  event_id    BIGINT      NOT NULL,
  user_id     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  expires_at  DATETIME(6) NOT NULL COMMENT 'by the clock of Redis',
  admitted_at DATETIME(6) NOT NULL COMMENT 'by the clock of Redis',
  epoch       INT         NOT NULL COMMENT 'of the room that let the user in',
  PRIMARY KEY (event_id, user_id, expires_at),
  KEY waiting_room_admission_by_end (expires_at)
);
