-- The vocabulary rows that the export refers to; what is there already stays. One statement, since they name each other.
CREATE TEMP TABLE omop_domain (LIKE domain) ON COMMIT DROP;
CREATE TEMP TABLE omop_vocabulary (LIKE vocabulary) ON COMMIT DROP;
CREATE TEMP TABLE omop_concept_class (LIKE concept_class) ON COMMIT DROP;
CREATE TEMP TABLE omop_concept (LIKE concept) ON COMMIT DROP;
\copy omop_domain (domain_id, domain_name, domain_concept_id) FROM 'domain.csv' WITH (FORMAT csv, HEADER)
\copy omop_vocabulary (vocabulary_id, vocabulary_name, vocabulary_concept_id) FROM 'vocabulary.csv' WITH (FORMAT csv, HEADER)
\copy omop_concept_class (concept_class_id, concept_class_name, concept_class_concept_id) FROM 'concept_class.csv' WITH (FORMAT csv, HEADER)
\copy omop_concept (concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, concept_code, valid_start_date, valid_end_date, invalid_reason) FROM 'concept.csv' WITH (FORMAT csv, HEADER)
WITH new_domain AS (INSERT INTO domain SELECT * FROM omop_domain ON CONFLICT DO NOTHING),
new_vocabulary AS (INSERT INTO vocabulary SELECT * FROM omop_vocabulary ON CONFLICT DO NOTHING),
new_concept_class AS (INSERT INTO concept_class SELECT * FROM omop_concept_class ON CONFLICT DO NOTHING)
INSERT INTO concept SELECT * FROM omop_concept ON CONFLICT DO NOTHING;
