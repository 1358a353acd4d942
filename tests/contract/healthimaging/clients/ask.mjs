// What an application does with the AWS SDK for JavaScript, against the endpoint in argv; prints JSON.
import {
  GetDICOMImportJobCommand, GetDatastoreCommand, GetImageFrameCommand, GetImageSetCommand,
  GetImageSetMetadataCommand, ListDatastoresCommand, ListImageSetVersionsCommand, MedicalImagingClient,
  ResourceNotFoundException, StartDICOMImportJobCommand, paginateSearchImageSets,
} from "@aws-sdk/client-medical-imaging";
import { gunzipSync } from "node:zlib";

const [endpoint, inputS3Uri, outputS3Uri] = process.argv.slice(2);
const client = new MedicalImagingClient({ endpoint, disableHostPrefix: true, region: "us-east-1" });
const send = (Command, input) => client.send(new Command(input));

const { datastoreSummaries } = await send(ListDatastoresCommand, {});
const { datastoreId } = datastoreSummaries[0];
const { datastoreProperties } = await send(GetDatastoreCommand, { datastoreId });
const { jobId } = await send(StartDICOMImportJobCommand, {
  datastoreId, inputS3Uri, outputS3Uri, jobName: "from-javascript",
  dataAccessRoleArn: "arn:aws:iam::123456789012:role/import",
});
let job;
do {
  job = (await send(GetDICOMImportJobCommand, { datastoreId, jobId })).jobProperties;
} while (!["COMPLETED", "FAILED"].includes(job.jobStatus));

const imageSets = [];
for await (const page of paginateSearchImageSets({ client, pageSize: 1 }, { datastoreId })) {
  imageSets.push(...page.imageSetsMetadataSummaries);
}
const { imageSetId } = imageSets[0];
const { versionId } = await send(GetImageSetCommand, { datastoreId, imageSetId });
const versions = await send(ListImageSetVersionsCommand, { datastoreId, imageSetId });
const blob = await send(GetImageSetMetadataCommand, { datastoreId, imageSetId });
const metadata = JSON.parse(gunzipSync(await blob.imageSetMetadataBlob.transformToByteArray()));
const [series] = Object.values(metadata.Study.Series);
const [{ ID: imageFrameId }] = Object.values(series.Instances)[0].ImageFrames;
const frame = await send(GetImageFrameCommand, { datastoreId, imageSetId, imageFrameInformation: { imageFrameId } });
const bytes = await frame.imageFrameBlob.transformToByteArray();
let error;
try {
  await send(GetImageSetCommand, { datastoreId, imageSetId: "0".repeat(32) });
} catch (found) {
  error = found instanceof ResourceNotFoundException && found.name;
}
console.log(JSON.stringify({
  store: datastoreProperties.datastoreStatus, job: job.jobStatus, imageSets: imageSets.length, versionId,
  versions: versions.imageSetPropertiesList.length, patient: metadata.Patient.DICOM.PatientID,
  contentType: frame.contentType, signature: Buffer.from(bytes.slice(4, 8)).toString(), error,
}));
